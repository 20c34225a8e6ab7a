/**
 * Taking over what a worker that is gone has left, so that the tasks which wait
 * there do not wait for ever.
 *
 * The online workers form a ring in the order of their ids. The one that
 * follows the dead worker waits a little for its return, and adopts; if no
 * tombstone has come in time, the next one tries. An adoption is, in order:
 *
 * 1. mark: the dead worker's presence names the adopter, so that a worker which
 *    was only cut off knows, when it is back, that its tasks may have moved;
 * 2. take over its records, one by one: what waits, waits here; what was running
 *    is published as `failed`;
 * 3. connect with the dead worker's client id, if that is allowed, and publish to
 *    the group what the broker still has for it, and has not given to it;
 * 4. close: end both of its sessions;
 * 5. tombstone: the presence says `adopted`.
 *
 * An adopter that dies leaves the rest where it was, and the next one does all
 * steps again.
 *
 * @module
 */
import type { Delivery, Outgoing } from "../messages/packets.ts";
import type { Presence } from "../messages/presence.ts";
import type { Topics } from "../messages/topics.ts";
import { movedProperties, originOf } from "../tasks/origin.ts";
import type { Log } from "../tasks/ports.ts";
import type { FoundRecord } from "../tasks/records.ts";
import type { GroupObserver } from "./observer.ts";
import type { Peers } from "./peers.ts";

/** Where a killing test may stop the process. */
export type AdoptionStep =
  | "marked"
  | "taken_over"
  | "connected"
  | "moved"
  | "closed";

/** A connection with a dead worker's client id. */
export interface DeadSession extends AsyncDisposable {
  /** Whether the broker still had the session. */
  readonly present: boolean;
  /** Ends a subscription of the session. */
  unsubscribe(topic: string): Promise<void>;
  /** What has been delivered and was not asked for before. */
  deliveries(): Promise<Delivery[]>;
}

/** What adopting needs. */
export interface AdoptionOptions {
  workerId: string;
  topics: Topics;
  channel: { publish(message: Outgoing): Promise<void> };
  peers: Peers;
  log: Log;
  observer?: GroupObserver;
  /** How long a worker that is gone, and each of the ring, has; milliseconds. */
  timing: { returnMs: number; turnMs: number };
  /** Whether both connections are there. */
  connected(): boolean;
  /** The records of a worker, the oldest first. */
  records(workerId: string): Promise<FoundRecord[]>;
  /** Takes a record of a worker over. */
  takeOver(record: FoundRecord, holder: string): Promise<void>;
  /** Connects as a worker's intake. */
  openIntake(workerId: string): Promise<DeadSession>;
  /** Ends a worker's control session. */
  endControlSession(workerId: string): Promise<void>;
  /** Called after each step. */
  onStep?(step: AdoptionStep): void;
}

class Returned extends Error {}

/** Adopts workers that are gone. */
export class Adoption implements Disposable {
  readonly #options: AdoptionOptions;
  readonly #timers = new Map<string, ReturnType<typeof setTimeout>>();
  #refused = false;
  #sessionRefused = false;
  #stopped = false;

  /** Adopts nobody before it hears of somebody who is gone. */
  constructor(options: AdoptionOptions) {
    this.#options = options;
  }

  /** Takes note of a presence. */
  presence(workerId: string, presence: Presence | null): void {
    const { workerId: me } = this.#options;
    clearTimeout(this.#timers.get(workerId));
    this.#timers.delete(workerId);
    if (workerId === me || presence?.state !== "offline") return;
    if (presence.adopted_by === me || this.#stopped) return;
    this.#schedule(workerId);
  }

  /** Adopts nobody any more. */
  [Symbol.dispose](): void {
    this.#stopped = true;
    this.#timers.forEach((timer) => clearTimeout(timer));
    this.#timers.clear();
  }

  #schedule(dead: string): void {
    const { peers, workerId, log, timing } = this.#options;
    const ring = [...peers.online(), workerId].sort();
    const first = ring.findIndex((id) => id > dead);
    const start = first === -1 ? 0 : first;
    const place = (ring.indexOf(workerId) - start + ring.length) % ring.length;
    const wait = timing.returnMs + place * timing.turnMs;
    log.debug(`worker ${dead} is offline; adopting it in ${wait / 1000} s`);
    this.#timers.set(
      dead,
      setTimeout(() => {
        this.#timers.delete(dead);
        this.#adopt(dead).catch((error) => this.#failed(dead, error));
      }, wait),
    );
  }

  #failed(dead: string, error: unknown): void {
    const { log } = this.#options;
    if (error instanceof Returned) {
      log.info(`worker ${dead} is back; it is not adopted`);
      return;
    }
    // Said once: where the access rules forbid it, they do so every time.
    if (!this.#refused) {
      log.warn(
        `cannot adopt worker ${dead}; its tasks wait for its return`,
        { error },
      );
    }
    this.#refused = true;
    if (!this.#stopped) this.#schedule(dead);
  }

  async #adopt(dead: string): Promise<void> {
    const { channel, connected, log, peers, topics, workerId, onStep } =
      this.#options;
    const presence = peers.find(dead);
    if (presence?.state !== "offline") return;
    if (!connected() || this.#stopped) {
      this.#schedule(dead);
      return;
    }
    log.info(`worker ${dead} is gone; taking over its tasks`);
    const announce = (state: "offline" | "adopted") =>
      channel.publish({
        topic: topics.presence(dead),
        payload: JSON.stringify(
          {
            ...presence,
            state,
            updated_at: new Date().toISOString(),
            adopted_by: workerId,
          } satisfies Presence,
        ),
        qos: 1,
        retain: true,
      });
    const stillDead = () => {
      if (this.#stopped || peers.find(dead)?.state !== "offline") {
        throw new Returned();
      }
    };

    await announce("offline");
    onStep?.("marked");
    for (const record of await this.#options.records(dead)) {
      stillDead();
      await this.#options.takeOver(record, dead);
      onStep?.("taken_over");
    }
    stillDead();
    await this.#emptySession(dead, stillDead);
    for (const topic of [topics.load(dead), topics.sentinel(dead)]) {
      await channel.publish({ topic, payload: "", qos: 1, retain: true });
    }
    stillDead();
    await announce("adopted");
    this.#options.observer?.adopted();
    log.info(`worker ${dead} is adopted`);
  }

  /** Gives the group what the broker has for a worker, and ends its sessions. */
  async #emptySession(dead: string, stillDead: () => void): Promise<void> {
    const { endControlSession, log, openIntake, onStep, topics } =
      this.#options;
    try {
      {
        await using session = await openIntake(dead);
        onStep?.("connected");
        if (session.present) {
          await session.unsubscribe(topics.sharedTasks);
          await session.unsubscribe(topics.inbox(dead));
        }
        for (;;) {
          const deliveries = await session.deliveries();
          if (deliveries.length === 0) break;
          for (const delivery of deliveries) {
            stillDead();
            await this.#move(dead, delivery);
          }
        }
      }
      await endControlSession(dead);
      onStep?.("closed");
    } catch (error) {
      if (error instanceof Returned) throw error;
      // Said once: where the access rules forbid it, they do so every time.
      if (!this.#sessionRefused) {
        log.warn(
          `cannot look what the broker still has for worker ${dead}; it waits for its return`,
          { error },
        );
      }
      this.#sessionRefused = true;
    }
  }

  async #move(dead: string, delivery: Delivery): Promise<void> {
    const { channel, log, topics, onStep } = this.#options;
    // What a peer has offered and the dead worker has not taken is still the
    // peer's.
    if (delivery.topic === topics.tasks) {
      const origin = originOf(delivery);
      await channel.publish({
        topic: topics.tasks,
        payload: delivery.payload,
        qos: 2,
        // Of one that the dead worker may have accepted, this is a copy, which
        // is not to be reported as a duplicate.
        properties: delivery.redelivered
          ? movedProperties(delivery.properties, { ...origin, from: "" })
          : delivery.properties,
      });
      log.info("a message of a worker that is gone is given to the group", {
        worker_id: dead,
      });
      onStep?.("moved");
    }
    delivery.answer();
  }
}

/**
 * Taking over what a worker that is gone has left, so that the tasks which wait
 * there do not wait for ever.
 *
 * Who adopts, and when, says `adoption_ring.ts`. An adoption is, in order:
 *
 * 1. mark: the dead worker's presence names the adopter, so that a worker which
 *    was only cut off knows, when it is back, that its tasks may have moved;
 * 2. take over its records, some side by side: what waits, waits here; what was
 *    running is published as `failed`;
 * 3. connect with the dead worker's client id, if that is allowed, and publish to
 *    the group what the broker still has for it, and it has not answered; what
 *    was for it alone is published as `failed`;
 * 4. close: end both of its sessions;
 * 5. tombstone: the presence says `adopted`.
 *
 * An adopter that dies leaves the rest where it was, and the next one does all
 * steps again.
 *
 * @module
 */
import {
  ConnectionLostError,
  ConnectionRefusedError,
  type Delivery,
} from "../messages/packets.ts";
import type { Presence } from "../messages/presence.ts";
import type { Topics } from "../messages/topics.ts";
import type { Addressee } from "../tasks/addressee.ts";
import { movedProperties, originOfDelivery } from "../tasks/origin.ts";
import type { Channel, Log } from "../tasks/ports.ts";
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
  channel: Pick<Channel, "lookUp" | "publish">;
  peers: Peers;
  log: Log;
  observer?: GroupObserver;
  /** The records of a worker, the oldest first. */
  records(workerId: string): Promise<FoundRecord[]>;
  /** Takes a record of a worker over; false if that is back, and has the task. */
  takeOver(record: FoundRecord, holder: string): Promise<boolean>;
  /** Ends what was for a worker alone, and was not accepted. */
  undelivered(
    delivery: Delivery,
    to: { holder: string; to: Addressee },
  ): Promise<void>;
  /** Connects as a worker's intake. */
  openIntake(workerId: string): Promise<DeadSession>;
  /** Ends a worker's control session. */
  endControlSession(workerId: string): Promise<void>;
  /** Called after each step. */
  onStep?(step: AdoptionStep): void;
}

/** How many records are taken over side by side. */
const AT_ONCE = 20;

/** A worker that was to be adopted is no longer offline. */
export class WorkerReturnedError extends Error {
  override name = "WorkerReturnedError";
}

/** Another worker adopts the same one. */
export class AdoptedElsewhereError extends Error {
  override name = "AdoptedElsewhereError";
}

/** Takes over what the dead have left. */
export class Adoption {
  readonly #options: AdoptionOptions;
  #sessionRefused = false;

  /** Adopts nobody by itself. */
  constructor(options: AdoptionOptions) {
    this.#options = options;
  }

  /**
   * Takes over what a worker that is offline has left.
   *
   * @throws {WorkerReturnedError} it is back, or this worker stops
   * @throws {AdoptedElsewhereError} of two marks the later one counts, and that
   * was another worker's
   * @throws {ConnectionLostError} by chance; it can be tried again
   */
  async adopt(dead: string, signal: AbortSignal): Promise<void> {
    const { channel, log, peers, topics, workerId, onStep } = this.#options;
    const presence = peers.find(dead);
    if (presence?.state !== "offline") throw new WorkerReturnedError();
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
      if (signal.aborted || peers.find(dead)?.state !== "offline") {
        throw new WorkerReturnedError();
      }
      if (peers.find(dead)?.adopted_by !== workerId) {
        throw new AdoptedElsewhereError();
      }
    };

    await announce("offline");
    // All marks that came before this look are seen by now.
    await channel.lookUp(topics.presence(dead));
    stillDead();
    onStep?.("marked");
    // Until a look finds none that is new: a broker may be late with some.
    const seen = new Set<string>();
    for (;;) {
      const records = (await this.#options.records(dead))
        .filter(({ taskId }) => !seen.has(taskId));
      stillDead();
      if (records.length === 0) break;
      const left = records.values();
      const takeSome = async () => {
        for (const record of left) {
          stillDead();
          seen.add(record.taskId);
          if (!await this.#options.takeOver(record, dead)) {
            throw new WorkerReturnedError();
          }
          onStep?.("taken_over");
        }
      };
      const results = await Promise.allSettled(
        Array.from({ length: AT_ONCE }, takeSome),
      );
      const failed = results.find((one) => one.status === "rejected");
      if (failed) throw failed.reason;
      stillDead();
    }
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
          await session.unsubscribe(topics.everyone);
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
      if (
        error instanceof WorkerReturnedError ||
        error instanceof AdoptedElsewhereError
      ) throw error;
      // By chance: what is there can be had by the next attempt.
      const isRefused = error instanceof ConnectionRefusedError;
      if (error instanceof ConnectionLostError && !isRefused) throw error;
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
    const about = topics.parse(delivery.topic)?.kind;
    if (about !== "tasks" && about !== "inbox" && about !== "everyone") {
      return delivery.answer();
    }
    const origin = originOfDelivery(delivery, about);
    // What a peer has offered and the dead worker has not taken is still the
    // peer's.
    if (origin.to !== "group") {
      await this.#options.undelivered(delivery, {
        holder: dead,
        to: origin.to,
      });
    } else if (about === "tasks") {
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

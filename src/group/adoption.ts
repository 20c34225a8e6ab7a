/**
 * Taking over the session of a worker that is gone, so that the tasks which
 * wait in it do not wait for ever.
 *
 * The online workers form a ring in the order of their ids. The one that
 * follows the dead worker waits a little for its return, and adopts; if no
 * tombstone has come in time, the next one tries. An adoption is, in order:
 *
 * 1. mark: the dead worker's presence names the adopter, so that a worker which
 *    was only cut off knows, when it is back, that its tasks may have moved;
 * 2. connect with the dead worker's client id, and unsubscribe;
 * 3. move: publish each task that was waiting to the group again, and release
 *    it when the broker has it;
 * 4. end: publish `failed` for what the dead worker had claimed;
 * 5. close: end both of its sessions;
 * 6. tombstone: the presence says `adopted`.
 *
 * An adopter that dies leaves the rest in the session, and the next one does
 * all steps again: what has moved already shows on its status topic.
 *
 * @module
 */
import type {
  Delivery,
  Incoming,
  MessageProperties,
} from "../messages/packets.ts";
import {
  type ClaimList,
  claimListSchema,
  type Presence,
  readAs,
} from "../messages/presence.ts";
import type { Topics } from "../messages/topics.ts";
import type { Channel, Log } from "../tasks/ports.ts";
import type { Responses } from "../tasks/responses.ts";
import { type PublishedStatus, readStatus } from "../tasks/published_status.ts";
import { endOfLeftBehind } from "./left_behind.ts";
import { movedProperties, originOf } from "./moved_task.ts";
import type { GroupObserver } from "./observer.ts";
import type { Peers } from "./peers.ts";

/** Where a killing test may stop the process. */
export type AdoptionStep =
  | "marked"
  | "connected"
  | "moved"
  | "released"
  | "ended"
  | "closed";

/** A connection with a dead worker's client id. */
export interface DeadSession extends AsyncDisposable {
  /** Whether the broker still had the session. */
  readonly present: boolean;
  /** Ends a subscription of the session. */
  unsubscribe(topic: string): Promise<void>;
  /** The retained message on a topic. */
  lookUp(topic: string): Promise<Incoming | null>;
  /** What has been delivered and was not asked for before. */
  deliveries(): Promise<Delivery[]>;
}

/** What adopting needs. */
export interface AdoptionOptions {
  /** This worker. */
  workerId: string;
  /** The topics of the group. */
  topics: Topics;
  /** The control connection. */
  channel: Channel;
  /** The other workers of the group. */
  peers: Peers;
  /** Answers where requesters want them. */
  responses: Pick<Responses, "follow">;
  /** Where to write what happens. */
  log: Log;
  /** Is told of adoptions, and of tasks that end by them. */
  observer?: GroupObserver;
  /** How long the broker keeps a final status; 0: for ever. */
  retentionSeconds: number;
  /** How long a worker that is gone, and each of the ring, has; milliseconds. */
  timing: { returnMs: number; turnMs: number };
  /** Whether both connections are there. */
  connected(): boolean;
  /** The task that a message asks for; null if it cannot be told. */
  taskIdOf(payload: Uint8Array): Promise<string | null>;
  /** Connects as a worker's intake. */
  openIntake(workerId: string): Promise<DeadSession>;
  /** Ends a worker's control session. */
  endControlSession(workerId: string): Promise<void>;
  /** Called after each step. */
  onStep?(step: AdoptionStep): void;
}

class Returned extends Error {}

/** Adopts the sessions of the dead. */
export class Adoption implements Disposable {
  readonly #options: AdoptionOptions;
  readonly #timers = new Map<string, ReturnType<typeof setTimeout>>();
  #refused = false;
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
        `cannot adopt the session of worker ${dead}; its tasks wait for its return`,
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
    log.info(`worker ${dead} is gone; adopting its session`);
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
      if (peers.find(dead)?.state !== "offline") throw new Returned();
    };

    await announce("offline");
    onStep?.("marked");
    stillDead();

    {
      await using session = await this.#options.openIntake(dead);
      onStep?.("connected");
      const moved = session.present
        ? await this.#move(dead, session, stillDead)
        : new Set<string>();
      await this.#end(dead, session, { moved, stillDead });
      onStep?.("ended");
      stillDead();
    }
    await this.#options.endControlSession(dead);
    onStep?.("closed");

    for (const topic of [topics.running(dead), topics.load(dead)]) {
      await channel.publish({ topic, payload: "", qos: 1, retain: true });
    }
    stillDead();
    await announce("adopted");
    this.#options.observer?.adopted();
    log.info(`worker ${dead} is adopted`);
  }

  /** @returns the ids that were delivered again */
  async #move(
    dead: string,
    session: DeadSession,
    stillDead: () => void,
  ): Promise<Set<string>> {
    const { topics } = this.#options;
    await session.unsubscribe(topics.sharedTasks);
    await session.unsubscribe(topics.inbox(dead));
    const ids = new Set<string>();
    for (;;) {
      const deliveries = await session.deliveries();
      if (deliveries.length === 0) return ids;
      for (const delivery of deliveries) {
        stillDead();
        const id = await this.#moveOne(dead, session, delivery);
        if (id) ids.add(id);
      }
    }
  }

  async #moveOne(
    dead: string,
    session: DeadSession,
    delivery: Delivery,
  ): Promise<string | null> {
    const { channel, log, topics, onStep } = this.#options;
    const id = await this.#options.taskIdOf(delivery.payload);
    const found = id
      ? readStatus(await session.lookUp(topics.status(id)))
      : null;
    const properties = this.#moves(dead, delivery, found);
    if (properties) {
      await channel.publish({
        topic: topics.tasks,
        payload: delivery.payload,
        qos: 2,
        properties,
      });
      log.info("a waiting task is given to the group again", {
        ...(id && { task_id: id }),
        worker_id: dead,
      });
      onStep?.("moved");
    }
    await delivery.release();
    onStep?.("released");
    return id;
  }

  /** With which properties a delivery is published again; null if it is not. */
  #moves(
    dead: string,
    delivery: Delivery,
    found: PublishedStatus | null,
  ): MessageProperties | null {
    const { properties, redelivered } = delivery;
    // One that a peer had offered and the dead worker had not taken is still
    // the peer's.
    const offered = delivery.topic === this.#options.topics.inbox(dead);
    const waited = found?.status.state === "queued" &&
      found.status.worker_id === dead;
    if (waited || (!found && !offered)) {
      return movedProperties(properties, {
        from: found?.token ?? "",
        createdAt: found?.status.created_at ?? null,
        hops: originOf(delivery).hops,
        expiresAt: properties.expirySeconds === undefined
          ? null
          : new Date(Date.now() + properties.expirySeconds * 1000),
      });
    }
    // One that the dead worker had never seen goes to the group as it came:
    // whoever gets it judges whether the id may be used again.
    return offered || redelivered ? null : properties;
  }

  async #end(
    dead: string,
    session: DeadSession,
    { moved, stillDead }: { moved: Set<string>; stillDead: () => void },
  ): Promise<void> {
    const { channel, log, responses, retentionSeconds, topics } = this.#options;
    const seen = await session.lookUp(topics.running(dead));
    const claims: ClaimList | null = seen &&
      readAs(claimListSchema, seen.payload);
    for (const id of claims?.tasks ?? []) {
      if (moved.has(id)) continue;
      const topic = topics.status(id);
      const end = endOfLeftBehind(readStatus(await session.lookUp(topic)), {
        workerId: dead,
        topic,
        retentionSeconds,
        started: true,
      });
      stillDead();
      if (!end) continue;
      await channel.publish(end);
      responses.follow(end, id);
      this.#options.observer?.leftBehind();
      log.info("a task of the worker that is gone is ended as failed", {
        task_id: id,
        worker_id: dead,
      });
    }
  }
}

/**
 * The status topics of the tasks that this worker has. Each is also the task's
 * lock (see `topic_lock.ts`): the group agrees by it on who has the task.
 *
 * To take a task is to publish its `queued` status. A holder that is alive lets
 * a task go only to the peer that it has offered it to, and a dead one to
 * whoever finds the task in its session: either publishes the last holder's
 * token as `from`.
 *
 * @module
 */
import type { Incoming } from "../messages/packets.ts";
import {
  encodeTaskStatus,
  shortenTaskStatus,
} from "../messages/task_status.ts";
import type { Topics } from "../messages/topics.ts";
import { type Arrival, judge, type Judgement } from "./duplicates.ts";
import type { TaskObserver } from "./observer.ts";
import type { Channel, Log } from "./ports.ts";
import { type PublishedStatus, readStatus } from "./published_status.ts";
import { responseProperties, type Responses } from "./responses.ts";
import { isFinal } from "./states.ts";
import type { Task } from "./task.ts";
import { type LockMessage, TopicLock } from "./topic_lock.ts";

/** What came of looking at a task's topic. */
export interface Look {
  judgement: Judgement;
  seen: PublishedStatus | null;
}

/** What the board needs. */
export interface StatusBoardOptions {
  channel: Channel;
  /** Settles when the channel is connected. */
  connected(): Promise<void>;
  topics: Topics;
  workerId: string;
  /** Begins every token of this process. */
  instance: string;
  retentionSeconds: number;
  windowSeconds: number;
  /** Sends each status also where its requester wants it. */
  responses: Pick<Responses, "send">;
  log: Log;
  observer?: TaskObserver;
  /** Somebody has taken a task over that we did not offer. */
  onGone(taskId: string): void;
}

/** The statuses of this worker's tasks. */
export class StatusBoard {
  readonly #options: StatusBoardOptions;
  readonly #locks = new Map<string, TopicLock>();
  /** Who waits for a peer to take a task that it was offered. */
  readonly #offers = new Map<string, (taker: string) => void>();
  #instance: string;
  #takes = 0;

  constructor(options: StatusBoardOptions) {
    this.#options = options;
    this.#instance = options.instance;
  }

  /** The token under which this worker holds a task; null if it does not. */
  token(taskId: string): string | null {
    return this.#locks.get(taskId)?.token ?? null;
  }

  /**
   * Subscribes to the status topic of a task, and judges by what stands there.
   * Unless the judgement is to take it, nothing is left subscribed.
   */
  async look(taskId: string, arrival: Arrival): Promise<Look> {
    const { channel, connected, log, topics } = this.#options;
    const lock: TopicLock = new TopicLock({
      topic: topics.status(taskId),
      channel,
      connected,
      onLost: (message) => this.#onLost(taskId, message),
      onStranger: (message) => {
        const { worker_id, state } = readStatus(message)!.status;
        log.debug("another worker's status on a task of this one", {
          task_id: taskId,
          worker_id,
          state,
        });
      },
      onRefused: (error) =>
        log.error("cannot publish a status", { task_id: taskId, error }),
      onReleased: () => {
        if (this.#locks.get(taskId) === lock) this.#locks.delete(taskId);
      },
    });
    this.#locks.set(taskId, lock);
    const look = await this.#judge(lock, arrival);
    if (!look) throw new Error(`Cannot look at task "${taskId}": let go of`);
    return look;
  }

  /**
   * Takes a task that was looked at: publishes its `queued` status, and waits
   * to see whose it is.
   *
   * @returns false if somebody else has it; nothing is left subscribed then
   * @throws the broker refused the status
   */
  async take(task: Task): Promise<boolean> {
    const lock = this.#locks.get(task.id);
    if (!lock) return false;
    const message = this.#message(task);
    const token = `${this.#instance}.${++this.#takes}`;
    if (!await lock.take(message, token)) return false;
    this.#respond(task, message);
    return true;
  }

  /**
   * Takes a task again that this worker already has, under a new token, so that
   * nobody can take it over by the old one any more.
   *
   * @returns false if somebody else has it; nothing is left subscribed then
   */
  async retake(task: Task): Promise<boolean> {
    const lock = this.#locks.get(task.id);
    if (!lock) return false;
    const look = await this.#judge(lock, {
      redelivered: true,
      from: lock.token,
    });
    return look?.judgement === "take" && await this.take(task);
  }

  /**
   * Publishes a task's status as it is now. A `running` one may be replaced by
   * a newer one while it waits.
   *
   * @returns settles when the broker has acknowledged it
   */
  publish(task: Task): Promise<void> {
    const { channel, observer, topics } = this.#options;
    const message = this.#message(task);
    if (task.final) observer?.ended(task);
    const lock = this.#locks.get(task.id);
    const acknowledged = lock
      ? lock.publish(message)
      : channel.publish({ ...message, topic: topics.status(task.id) });
    this.#respond(task, message);
    return acknowledged;
  }

  /**
   * Waits for a peer to take a task that was offered to it.
   *
   * @returns who has it; null when `signal` aborts before
   */
  gone(taskId: string, signal: AbortSignal): Promise<string | null> {
    if (this.token(taskId) === null || signal.aborted) {
      return Promise.resolve(null);
    }
    const { promise, resolve } = Promise.withResolvers<string | null>();
    const giveUp = () => resolve(null);
    signal.addEventListener("abort", giveUp, { once: true });
    this.#offers.set(taskId, resolve);
    return promise.finally(() => {
      signal.removeEventListener("abort", giveUp);
      this.#offers.delete(taskId);
    });
  }

  /**
   * Whether somebody else has published a final status for a task that this
   * worker runs; nothing is left subscribed then.
   */
  async endedElsewhere(taskId: string): Promise<boolean> {
    const lock = this.#locks.get(taskId);
    if (!lock || lock.token === null) return false;
    let isEnded = false;
    await lock.look((standing) => {
      const seen = readStatus(standing);
      isEnded = seen !== null && isFinal(seen.status.state);
      return isEnded ? "leave" : "hold";
    });
    return isEnded;
  }

  /** Stops watching a task's topic. */
  forget(taskId: string): void {
    this.#locks.get(taskId)?.letGo();
  }

  /** A message on the status topic of a task. */
  receive(taskId: string, message: Incoming): void {
    // What cannot be read is nobody's status.
    if (readStatus(message)) this.#locks.get(taskId)?.receive(message);
  }

  /**
   * After a reconnect: where the broker has lost the session, subscribes again
   * and publishes again what stood there.
   */
  async reconnected(session: { present: boolean }): Promise<void> {
    if (session.present) return;
    for (const lock of this.#locks.values()) await lock.sessionLost();
  }

  /** From now on this process takes tasks under another name. */
  renew(instance: string): void {
    this.#instance = instance;
  }

  /** @returns null if the task was forgotten meanwhile */
  async #judge(lock: TopicLock, arrival: Arrival): Promise<Look | null> {
    const { windowSeconds, workerId } = this.#options;
    let look: Look | null = null;
    await lock.look((standing) => {
      const seen = readStatus(standing);
      const judgement = judge(seen, arrival, { workerId, windowSeconds });
      look = { judgement, seen };
      if (judgement !== "take") return "leave";
      // Its last holder is dead, or has offered it to us.
      const isQueued = seen?.status.state === "queued";
      return { takeFrom: isQueued ? seen.token : arrival.from };
    });
    return look;
  }

  #onLost(taskId: string, message: Incoming): void {
    const offer = this.#offers.get(taskId);
    if (offer) offer(readStatus(message)!.status.worker_id);
    else this.#options.onGone(taskId);
  }

  /** A task's status as it is now. */
  #message(task: Task): LockMessage {
    const { retentionSeconds, workerId } = this.#options;
    const status = task.status(workerId);
    const message: LockMessage = {
      payload: encodeTaskStatus(status),
      shorten: (bytes) => shortenTaskStatus(status, bytes),
      qos: 1,
      retain: true,
      replaceable: task.state === "running",
      // Whoever ends the task after our death knows by it where else to say so.
      properties: responseProperties(task.response),
    };
    if (task.final && retentionSeconds > 0) {
      // As long as its signature is good, this is what tells a replay.
      const signed = task.signature
        ? Math.ceil((task.signature.expiresAt.getTime() - Date.now()) / 1000)
        : 0;
      message.properties!.expirySeconds = Math.max(retentionSeconds, signed);
    }
    return message;
  }

  #respond(task: Task, message: LockMessage): void {
    if (!task.response) return;
    this.#options.responses.send(task.response, {
      ...message,
      about: task.id,
    });
  }
}

/**
 * The records of the tasks that this worker has: each is the request as it came,
 * retained on a topic of the worker's own, with what it brings along. What a
 * worker has accepted is there for its next process, or for whoever takes over
 * from it, whatever becomes of sessions.
 *
 * Records are read at QoS 0, at which a broker sends all that it has.
 *
 * @module
 */
import type { Incoming, Outgoing } from "../messages/packets.ts";
import type { Topics } from "../messages/topics.ts";
import { pause } from "../deadline.ts";
import { movedProperties, originOf } from "./origin.ts";
import type { Channel, Log } from "./ports.ts";
import { isTooLarge, Refusals } from "./refusals.ts";
import type { Task } from "./task.ts";

/** The control connection, as far as records are concerned. */
export interface RecordChannel extends Channel {
  /** How long what is retained may be late, in milliseconds. */
  readonly patienceMs: number;
}

/** A record that stood on its topic. */
export interface FoundRecord {
  readonly taskId: string;
  readonly message: Incoming;
}

/** What this worker has, as the broker is to know it. */
export class Records {
  readonly #channel: RecordChannel;
  readonly #topics: Topics;
  readonly #workerId: string;
  readonly #log: Log;
  readonly #own = new Map<string, Outgoing>();
  /** What has come of the records that are being read, by their worker. */
  readonly #reading = new Map<string, Map<string, Incoming>>();
  /** Who has a record of a task of which that is asked. */
  readonly #keepers = new Map<string, Set<string>>();

  /** With none. */
  constructor(options: {
    channel: RecordChannel;
    topics: Topics;
    workerId: string;
    log: Log;
  }) {
    this.#channel = options.channel;
    this.#topics = options.topics;
    this.#workerId = options.workerId;
    this.#log = options.log;
  }

  /** Whether this worker has the record of a task. */
  has(taskId: string): boolean {
    return this.#own.has(taskId);
  }

  /**
   * Stores the record of a task; settles when the broker has it, or the task is
   * over.
   *
   * @returns false if it is larger than the broker takes
   */
  async store(task: Task): Promise<boolean> {
    const record: Outgoing = {
      topic: this.#topics.record(this.#workerId, task.id),
      payload: task.message.payload,
      qos: 1,
      retain: true,
      properties: movedProperties(task.message.properties, {
        from: null,
        createdAt: task.createdAt,
        hops: task.hops,
        to: task.to,
        owner: task.owner,
        expiresAt: task.messageExpiresAt,
      }),
    };
    this.#own.set(task.id, record);
    return await this.#publish(task.id, record);
  }

  /** Publishes a record, again and again if the broker refuses it. */
  async #publish(taskId: string, record: Outgoing): Promise<boolean> {
    const refusals = new Refusals();
    while (this.#own.get(taskId) === record) {
      try {
        await this.#channel.publish(record);
        return true;
      } catch (error) {
        if (isTooLarge(error)) return false;
        const { isFirst, waitMs } = refusals.next();
        if (isFirst) {
          this.#log.error("cannot store the record of a task; tried again", {
            task_id: taskId,
            error,
          });
        }
        await pause(waitMs);
      }
    }
    return true;
  }

  /** Takes note of a record of this worker's that the broker already has. */
  keep(
    taskId: string,
    { payload, properties }: Pick<Incoming, "payload" | "properties">,
  ): void {
    this.#own.set(taskId, {
      topic: this.#topics.record(this.#workerId, taskId),
      payload,
      properties,
      qos: 1,
      retain: true,
    });
  }

  /** Stores the record of another worker as one of this one's. */
  async copy(
    taskId: string,
    message: Pick<Incoming, "payload" | "properties">,
  ): Promise<void> {
    this.keep(taskId, message);
    await this.#publish(taskId, this.#own.get(taskId)!);
  }

  /** The task is over here, or somebody else's. */
  remove(taskId: string, workerId: string = this.#workerId): void {
    if (workerId === this.#workerId) this.#own.delete(taskId);
    this.#channel.publish({
      topic: this.#topics.record(workerId, taskId),
      payload: "",
      qos: 1,
      retain: true,
    }).catch((error) =>
      this.#log.error("cannot remove the record of a task", {
        task_id: taskId,
        error,
      })
    );
  }

  /**
   * The records that a worker has, the oldest first.
   *
   * @throws {ConnectionLostError} there is no connection, or it was lost
   */
  async read(workerId: string): Promise<FoundRecord[]> {
    const found = new Map<string, Incoming>();
    const filter = this.#topics.records(workerId);
    this.#reading.set(workerId, found);
    try {
      await this.#channel.lookUp(filter, { qos: 0 });
      // Of many, some may be later than one would be.
      for (let before = -1; before < found.size;) {
        before = found.size;
        const { patienceMs } = this.#channel;
        if (patienceMs > 0) await pause(patienceMs);
      }
      await this.#channel.unsubscribe(filter);
    } finally {
      this.#reading.delete(workerId);
    }
    for (const name of found.keys()) {
      // What a broker's lateness was measured with, and was left there.
      if (!name.startsWith("!")) continue;
      found.delete(name);
      this.remove(name, workerId);
    }
    const since = ({ message: { properties } }: FoundRecord) =>
      originOf({ redelivered: true, properties }).createdAt?.getTime() ?? 0;
    return [...found].map(([taskId, message]) => ({ taskId, message }))
      .sort((a, b) => since(a) - since(b));
  }

  /**
   * The workers that have a record of a task.
   *
   * @throws {ConnectionLostError} there is no connection, or it was lost
   */
  async keepers(taskId: string): Promise<ReadonlySet<string>> {
    const keepers = new Set<string>();
    const filter = this.#topics.record("+", taskId);
    this.#keepers.set(taskId, keepers);
    try {
      await this.#channel.lookUp(filter, { qos: 0 });
      await this.#channel.unsubscribe(filter);
    } finally {
      this.#keepers.delete(taskId);
    }
    return keepers;
  }

  /** A message on the topic of a record. */
  receive(workerId: string, taskId: string, message: Incoming): void {
    if (message.payload.length > 0) this.#keepers.get(taskId)?.add(workerId);
    const found = this.#reading.get(workerId);
    if (!found || this.#topics.sentinel(workerId) === message.topic) return;
    if (message.payload.length === 0) found.delete(taskId);
    else found.set(taskId, message);
  }

  /**
   * Compares what the broker has with what this worker has, and stores again
   * what the broker does not have.
   *
   * @returns what the broker has, and this worker does not know of
   * @throws {ConnectionLostError} there is no connection, or it was lost
   */
  async compare(): Promise<FoundRecord[]> {
    const before = new Set(this.#own.keys());
    const found = await this.read(this.#workerId);
    const there = new Set(found.map(({ taskId }) => taskId));
    for (const [taskId, record] of this.#own) {
      // What has come meanwhile is on its way.
      if (!before.has(taskId) || there.has(taskId)) continue;
      void this.#publish(taskId, record);
    }
    return found.filter(({ taskId }) =>
      !before.has(taskId) && !this.#own.has(taskId)
    );
  }
}

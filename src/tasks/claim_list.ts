/**
 * The retained list of the tasks that this worker has claimed: those which it
 * has taken from the broker, or is taking. Whoever finds the list after this
 * worker's death knows by it what was running.
 *
 * @module
 */
import type { ClaimList as ClaimListMessage } from "../messages/presence.ts";
import type { Channel, Log } from "./ports.ts";

/** What this worker has claimed. */
export class ClaimList {
  readonly #ids = new Set<string>();
  readonly #channel: Channel;
  readonly #topic: string;
  readonly #workerId: string;
  readonly #log: Log;
  #instance: string;

  /** With nothing claimed, and nothing published. */
  constructor(options: {
    channel: Channel;
    topic: string;
    workerId: string;
    instance: string;
    log: Log;
  }) {
    this.#channel = options.channel;
    this.#topic = options.topic;
    this.#workerId = options.workerId;
    this.#instance = options.instance;
    this.#log = options.log;
  }

  /** Claims a task; settles when the broker has the list with it. */
  add(taskId: string): Promise<void> {
    this.#ids.add(taskId);
    return this.publish();
  }

  /** Takes a task off the list. */
  remove(taskId: string): void {
    if (!this.#ids.delete(taskId)) return;
    this.publish().catch((error) =>
      this.#log.error("cannot publish the claim list", { error })
    );
  }

  /** Publishes the list as it is. */
  publish(): Promise<void> {
    const list: ClaimListMessage = {
      worker_id: this.#workerId,
      instance: this.#instance,
      tasks: [...this.#ids],
    };
    return this.#channel.publish({
      topic: this.#topic,
      payload: JSON.stringify(list),
      qos: 1,
      retain: true,
      replaceable: true,
    });
  }

  /** From now on the list is under another name. */
  renew(instance: string): void {
    this.#instance = instance;
  }
}

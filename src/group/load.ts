/**
 * This worker's load, as peers with a backlog see it.
 *
 * @module
 */
import type { Load } from "../messages/presence.ts";
import type { Channel, Log } from "../tasks/ports.ts";

/** Publishes the load whenever it has changed. */
export class LoadReport {
  readonly #channel: Channel;
  readonly #topic: string;
  readonly #workerId: string;
  readonly #log: Log;
  readonly #measure: () => Omit<Load, "worker_id" | "seq">;
  #last = "";
  /** Goes on rising when this worker is started again. */
  #seq = Date.now();
  #scheduled = false;
  #again = false;

  /**
   * Publishes nothing before `update()`.
   *
   * @param options.measure the load at this moment
   */
  constructor(options: {
    channel: Channel;
    topic: string;
    workerId: string;
    log: Log;
    measure(): Omit<Load, "worker_id" | "seq">;
  }) {
    this.#channel = options.channel;
    this.#topic = options.topic;
    this.#workerId = options.workerId;
    this.#log = options.log;
    this.#measure = options.measure;
  }

  /**
   * Publishes the load if it has changed.
   *
   * @param options.again also if it has not: a peer that has offered a task
   * offers no other one before it sees a new load
   */
  update(options: { again?: boolean } = {}): void {
    this.#again ||= options.again ?? false;
    if (this.#scheduled) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      const measured = this.#measure();
      const text = JSON.stringify(measured);
      if (text === this.#last && !this.#again) return;
      this.#last = text;
      this.#again = false;
      const load: Load = {
        worker_id: this.#workerId,
        ...measured,
        seq: ++this.#seq,
      };
      this.#channel.publish({
        topic: this.#topic,
        payload: JSON.stringify(load),
        qos: 1,
        retain: true,
        replaceable: true,
      }).catch((error) => this.#log.warn("cannot publish the load", { error }));
    });
  }
}

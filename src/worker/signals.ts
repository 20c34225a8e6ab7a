/**
 * The signals that a worker obeys.
 *
 * @module
 */

import { fulfilledWithin } from "../deadline.ts";

/** Counts the signals that ask the process to stop. */
export class Signals {
  /** How many have come. */
  count = 0;
  /** Called at each SIGHUP. */
  hangup: () => void = () => {};
  #arrived = Promise.withResolvers<void>();
  readonly #stop = () => {
    this.count++;
    this.#arrived.resolve();
    this.#arrived = Promise.withResolvers<void>();
  };
  readonly #hup = () => this.hangup();

  /** Listens from now on. */
  constructor() {
    Deno.addSignalListener("SIGTERM", this.#stop);
    Deno.addSignalListener("SIGINT", this.#stop);
    Deno.addSignalListener("SIGHUP", this.#hup);
  }

  /** Settles at the next signal, or after a time in milliseconds. */
  async next(withinMs?: number): Promise<void> {
    const { promise } = this.#arrived;
    if (withinMs === undefined) await promise;
    else await fulfilledWithin(withinMs, promise);
  }

  /** Listens no more. */
  close(): void {
    Deno.removeSignalListener("SIGTERM", this.#stop);
    Deno.removeSignalListener("SIGINT", this.#stop);
    Deno.removeSignalListener("SIGHUP", this.#hup);
  }
}

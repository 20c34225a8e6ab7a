/**
 * The signals that a worker obeys.
 *
 * @module
 */
import { fulfilledWithin } from "../deadline.ts";

/** The signals that ask a worker to stop, and the one to read its configuration. */
export interface StopSignals {
  /** How many have asked it to stop. */
  readonly count: number;
  /** Called at each SIGHUP. */
  hangup: () => void;
  /** Settles at the next one that asks it to stop, or after so many milliseconds. */
  next(withinMs?: number): Promise<void>;
}

/** The signals of this process. */
export class Signals implements StopSignals, Disposable {
  /** See `StopSignals`. */
  count = 0;
  /** See `StopSignals`. */
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

  /** See `StopSignals`. */
  async next(withinMs?: number): Promise<void> {
    const { promise } = this.#arrived;
    if (withinMs === undefined) await promise;
    else await fulfilledWithin(withinMs, promise);
  }

  /** Listens no more. */
  [Symbol.dispose](): void {
    Deno.removeSignalListener("SIGTERM", this.#stop);
    Deno.removeSignalListener("SIGINT", this.#stop);
    Deno.removeSignalListener("SIGHUP", this.#hup);
  }
}

/**
 * The signals that a worker obeys.
 *
 * @module
 */

/** What of the signals a worker needs. */
export type StopSignals = Pick<Signals, "count" | "hangup" | "next" | "close">;

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
    if (withinMs === undefined) return await promise;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const time = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, withinMs);
    });
    await Promise.race([promise, time]);
    clearTimeout(timer);
  }

  /** Listens no more. */
  close(): void {
    Deno.removeSignalListener("SIGTERM", this.#stop);
    Deno.removeSignalListener("SIGINT", this.#stop);
    Deno.removeSignalListener("SIGHUP", this.#hup);
  }
}

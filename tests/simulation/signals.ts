/**
 * The signals of a simulated process.
 *
 * @module
 */
import type { StopSignals } from "../../src/worker/signals.ts";

/** Signals that come when they are told to. */
export class SimulatedSignals implements StopSignals {
  count = 0;
  hangup: () => void = () => {};
  #arrived = Promise.withResolvers<void>();

  /** One comes. */
  stop(): void {
    this.count++;
    this.#arrived.resolve();
    this.#arrived = Promise.withResolvers<void>();
  }

  async next(withinMs?: number): Promise<void> {
    const { promise } = this.#arrived;
    if (withinMs === undefined) return await promise;
    await Promise.race([
      promise,
      new Promise<void>((resolve) => setTimeout(resolve, withinMs)),
    ]);
  }

  close(): void {}
}

/**
 * Ctrl-C.
 *
 * @module
 */

/**
 * What comes within this time is the same Ctrl-C: "deno task" and the like pass
 * on what the terminal has already sent to everybody.
 */
const REPEAT_MS = 100;

/** Listens for it. */
export class Interrupts implements Disposable {
  #next = Promise.withResolvers<void>();
  #last = -Infinity;
  readonly #listener = () => {
    const now = performance.now();
    if (now - this.#last < REPEAT_MS) return;
    this.#last = now;
    this.#next.resolve();
    this.#next = Promise.withResolvers();
  };

  /** From now on it does not end the program. */
  constructor() {
    Deno.addSignalListener("SIGINT", this.#listener);
  }

  /** Settles when it comes the next time. */
  next(): Promise<void> {
    return this.#next.promise;
  }

  /** From now on it ends the program again. */
  [Symbol.dispose](): void {
    Deno.removeSignalListener("SIGINT", this.#listener);
  }
}

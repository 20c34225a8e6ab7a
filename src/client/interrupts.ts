/**
 * Ctrl-C, and other signals that would end the program.
 *
 * @module
 */

/**
 * What comes within this time is the same Ctrl-C: "deno task" and the like pass
 * on what the terminal has already sent to everybody.
 */
const REPEAT_MS = 100;

/** Listens for them. */
export class Interrupts implements Disposable {
  readonly #listeners: (readonly [Deno.Signal, () => void])[];
  #next = Promise.withResolvers<Deno.Signal>();
  /** Whether somebody waits for it, and whether it has come. */
  #isAsked = false;
  #hasCome = false;
  #last = -Infinity;

  /** From now on they do not end the program. */
  constructor(signals: readonly Deno.Signal[] = ["SIGINT"]) {
    this.#listeners = signals.map((signal) =>
      [signal, () => this.#on(signal)] as const
    );
    for (const [signal, listener] of this.#listeners) {
      Deno.addSignalListener(signal, listener);
    }
  }

  /**
   * Settles with the next one, which may have come already: while nobody
   * waited, the first is kept.
   */
  next(): Promise<Deno.Signal> {
    const { promise } = this.#next;
    this.#isAsked = true;
    if (this.#hasCome) this.#renew();
    return promise;
  }

  /** From now on they end the program again. */
  [Symbol.dispose](): void {
    for (const [signal, listener] of this.#listeners) {
      Deno.removeSignalListener(signal, listener);
    }
  }

  #on(signal: Deno.Signal): void {
    const now = performance.now();
    if (now - this.#last < REPEAT_MS) return;
    this.#last = now;
    this.#next.resolve(signal);
    this.#hasCome = true;
    if (this.#isAsked) this.#renew();
  }

  #renew(): void {
    this.#next = Promise.withResolvers();
    this.#isAsked = this.#hasCome = false;
  }
}

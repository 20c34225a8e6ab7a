/**
 * Waiting for something that comes and goes, such as a connection.
 *
 * @module
 */

/** A state that can be waited for. */
export class Gate {
  #isOpen = false;
  #opened = Promise.withResolvers<void>();

  /** Whether nobody has to wait. */
  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** Lets through whoever waits. */
  open(): void {
    this.#isOpen = true;
    this.#opened.resolve();
  }

  /** Whoever comes waits. */
  close(): void {
    if (this.#isOpen) this.#opened = Promise.withResolvers<void>();
    this.#isOpen = false;
  }

  /** Settles when it is open. */
  wait(): Promise<void> {
    return this.#opened.promise;
  }
}

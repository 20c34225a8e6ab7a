/**
 * When to look: again and again, and at once when somebody asks for it. One look
 * at a time; what is asked for during one is one more, however often.
 *
 * @module
 */

/** The least time from the end of a look to the next, in milliseconds. */
const MIN_PAUSE_MS = 1000;

/** The rhythm of the looks. */
export class Looking implements Disposable {
  readonly #look: () => Promise<void>;
  readonly #intervalMs: number;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #endedAt = -Infinity;
  #isLooking = false;
  #isWanted = false;
  #isOver = false;

  /**
   * Does nothing before `next()` or `atOnce()`.
   *
   * @param options.seconds between two looks; 0: only when asked for
   */
  constructor(options: { seconds: number; look(): Promise<void> }) {
    this.#look = options.look;
    this.#intervalMs = options.seconds * 1000;
  }

  /** Looks when the interval is over. */
  next(): void {
    if (this.#intervalMs === 0) return;
    // Not all workers of a group in the same moment.
    this.#in(this.#intervalMs * (0.9 + Math.random() / 5));
  }

  /** Looks now, or when the look that goes on has ended. */
  atOnce(): void {
    if (this.#isLooking) this.#isWanted = true;
    else this.#in(this.#endedAt + MIN_PAUSE_MS - performance.now());
  }

  /** Looks no more. */
  [Symbol.dispose](): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
  }

  #in(ms: number): void {
    clearTimeout(this.#timer);
    if (this.#isOver) return;
    this.#timer = setTimeout(() => void this.#now(), Math.max(0, ms));
  }

  async #now(): Promise<void> {
    this.#isLooking = true;
    this.#isWanted = false;
    await this.#look();
    this.#isLooking = false;
    this.#endedAt = performance.now();
    if (this.#isWanted) this.atOnce();
    else this.next();
  }
}

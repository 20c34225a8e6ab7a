/**
 * How often somebody may be wrong about a password.
 *
 * @module
 */

/** Within this time, in milliseconds. */
const WINDOW_MS = 5 * 60_000;

/** So many are remembered. */
const MAX_REMEMBERED = 10_000;

/** Attempts to log in, by whoever makes them. */
export class Attempts {
  readonly #max: number;
  readonly #wrong = new Map<string, { count: number; until: number }>();

  /**
   * Nobody was wrong so far.
   *
   * @param max so many attempts of one may be wrong
   */
  constructor(max: number) {
    this.#max = max;
  }

  /** How long to wait before the next attempt, in seconds; 0: it may be made. */
  wait(who: string, now = Date.now()): number {
    const wrong = this.#wrong.get(who);
    return wrong && wrong.count >= this.#max
      ? Math.max(0, Math.ceil((wrong.until - now) / 1000))
      : 0;
  }

  /**
   * An attempt begins. It counts as wrong until it was right, so that many at
   * once are counted, too.
   */
  begin(who: string, now = Date.now()): void {
    const wrong = this.#wrong.get(who);
    const isOver = !wrong || wrong.until <= now;
    this.#wrong.delete(who);
    this.#wrong.set(who, {
      count: isOver ? 1 : wrong.count + 1,
      until: now + WINDOW_MS,
    });
    if (this.#wrong.size > MAX_REMEMBERED) {
      this.#wrong.delete(this.#wrong.keys().next().value!);
    }
  }

  /** It was right. */
  right(who: string): void {
    const wrong = this.#wrong.get(who);
    if (wrong && --wrong.count <= 0) this.#wrong.delete(who);
  }
}

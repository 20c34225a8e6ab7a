/**
 * The order in which deliveries came, kept while they are worked on side by
 * side.
 *
 * All are opened at once, and taken on as they came. All are looked at at once,
 * and get their places as they came. Two of one id take turns.
 *
 * @module
 */
import type { Turns } from "./turns.ts";

/** The place of one delivery among those that came before and after it. */
export interface Place {
  /** Settles when everything that came before has its place, or needs none. */
  readonly earlier: Promise<unknown>;
  /** What came later may go on. Safe when called twice. */
  taken(): void;
}

/** Deliveries in the order in which they came. */
export class ArrivalOrder {
  /** Settles when everything that has come so far is opened. */
  #opened: Promise<unknown> = Promise.resolve();
  /** Settles when everything that has come so far has its place. */
  #placed: Promise<unknown> = Promise.resolve();
  readonly #turns: Turns;

  constructor(turns: Turns) {
    this.#turns = turns;
  }

  /** Settles as an opening does, and after everything that came before it. */
  opened<T>(opening: Promise<T>): Promise<T> {
    const opened = this.#opened.then(() => opening);
    this.#opened = opened.catch(() => {});
    return opened;
  }

  /**
   * Works on what has been opened, when nothing of its id is worked on any
   * more. Its place is the next one from now on, and is given up when the work
   * is done.
   */
  async enter<T>(
    id: string,
    work: (place: Place) => Promise<T>,
  ): Promise<T> {
    const place = Promise.withResolvers<void>();
    const earlier = this.#placed;
    this.#placed = Promise.all([earlier, place.promise]);
    return await this.#turns.take(
      id,
      () => work({ earlier, taken: place.resolve }),
    ).finally(place.resolve);
  }
}

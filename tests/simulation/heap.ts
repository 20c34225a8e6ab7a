/**
 * What comes first, by time, and by order of arrival among what is at one time.
 *
 * @module
 */

/** Something that has a time. */
export interface Timed {
  /** When, in milliseconds. */
  at: number;
  /** The order among those of one time. */
  order: number;
}

/** A binary heap. */
export class Heap<T extends Timed> {
  readonly #items: T[] = [];

  /** How many there are. */
  get size(): number {
    return this.#items.length;
  }

  /** The first one, which stays. */
  get first(): T | undefined {
    return this.#items[0];
  }

  /** Adds one. */
  push(item: T): void {
    const items = this.#items;
    let i = items.push(item) - 1;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (!isBefore(items[i]!, items[parent]!)) break;
      this.#swap(i, parent);
      i = parent;
    }
  }

  /** Takes the first one out. */
  pop(): T | undefined {
    const items = this.#items;
    const first = items[0];
    const last = items.pop();
    if (items.length === 0 || last === undefined) return first;
    items[0] = last;
    for (let i = 0;;) {
      let child = 2 * i + 1;
      if (child >= items.length) break;
      if (
        child + 1 < items.length && isBefore(items[child + 1]!, items[child]!)
      ) child++;
      if (!isBefore(items[child]!, items[i]!)) break;
      this.#swap(i, child);
      i = child;
    }
    return first;
  }

  /** Takes out all that is not wanted; the order of the others stays. */
  keep(isWanted: (item: T) => boolean): void {
    const items = this.#items;
    const wanted = items.filter(isWanted);
    this.clear();
    for (const item of wanted) this.push(item);
  }

  /** Empties it. */
  clear(): void {
    this.#items.length = 0;
  }

  #swap(i: number, j: number): void {
    const items = this.#items;
    [items[i], items[j]] = [items[j]!, items[i]!];
  }
}

function isBefore(a: Timed, b: Timed): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}

/**
 * Numbers that look random, and are the same for the same names.
 *
 * A simulation has many streams of them, each named: one for the plan, one for
 * each connection, one for each process of a worker. So leaving a happening out
 * of a plan changes what follows from it, and not every later roll of the dice.
 *
 * @module
 */

/** A stream of numbers. */
export class Random {
  #a: number;
  #b: number;
  #c: number;
  #d = 1;

  /** The stream of these names, such as `new Random(7, "network", "w1", 2)`. */
  constructor(...names: (string | number)[]) {
    // FNV-1a over the names; then sfc32.
    let hash = 0x811c9dc5;
    const name = names.join("\u0000");
    for (let i = 0; i < name.length; i++) {
      hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193);
    }
    this.#a = hash;
    this.#b = 0x9e3779b9;
    this.#c = 0x243f6a88;
    for (let i = 0; i < 12; i++) this.next();
  }

  /** At least 0, and less than 1. */
  next(): number {
    const t = (this.#a + this.#b | 0) + this.#d | 0;
    this.#d = this.#d + 1 | 0;
    this.#a = this.#b ^ this.#b >>> 9;
    this.#b = this.#c + (this.#c << 3) | 0;
    this.#c = (this.#c << 21 | this.#c >>> 11) + t | 0;
    return (t >>> 0) / 4294967296;
  }

  /** At least `from`, and less than `to`. */
  between(from: number, to: number): number {
    return from + this.next() * (to - from);
  }

  /** A whole number from `from` to `to`, both among them. */
  whole(from: number, to: number): number {
    return from + Math.floor(this.next() * (to - from + 1));
  }

  /** True so often, of 1. */
  chance(probability: number): boolean {
    return this.next() < probability;
  }

  /** One of a list. */
  pick<T>(list: readonly T[]): T {
    return list[Math.floor(this.next() * list.length)]!;
  }

  /** A list in another order. */
  shuffled<T>(list: readonly T[]): T[] {
    const order = [...list];
    for (let i = order.length - 1; i > 0; i--) {
      const j = this.whole(0, i);
      [order[i], order[j]] = [order[j]!, order[i]!];
    }
    return order;
  }

  /** Hexadecimal digits. */
  hex(digits: number): string {
    let text = "";
    while (text.length < digits) {
      text += Math.floor(this.next() * 16).toString(16);
    }
    return text;
  }
}

/**
 * What is looked up, and how late what is retained comes for it.
 *
 * @module
 */

/** What comes later than this is taken for something else; milliseconds. */
const MAX_LATENESS_MS = 5000;

/** What is looked up, now and a moment ago. */
export class Lookups {
  /** Filters for whose messages somebody waits. */
  readonly #awaited: string[] = [];
  /** When nobody waited any more, by filter. */
  readonly #ended = new Map<string, number>();

  /** Does what somebody waits for. */
  async during(filter: string, work: () => Promise<void>): Promise<void> {
    this.#awaited.push(filter);
    try {
      await work();
    } finally {
      this.#awaited.splice(this.#awaited.indexOf(filter), 1);
    }
    this.#forgetOld();
    this.#ended.delete(filter);
    this.#ended.set(filter, performance.now());
  }

  /** The connection is lost: what comes by the next one may be sent again. */
  lost(): void {
    this.#ended.clear();
  }

  /**
   * How long after the end of a look a retained message has come, in
   * milliseconds; 0 for one that is in time, or that nobody has looked for.
   */
  latenessOf(topic: string): number {
    if (this.#awaited.some((filter) => matches(filter, topic))) return 0;
    this.#forgetOld();
    for (const [filter, ended] of this.#ended) {
      if (matches(filter, topic)) return performance.now() - ended;
    }
    return 0;
  }

  #forgetOld(): void {
    const since = performance.now() - MAX_LATENESS_MS;
    for (const [filter, ended] of this.#ended) {
      if (ended >= since) return;
      this.#ended.delete(filter);
    }
  }
}

/** Whether a filter without `#` fits a topic (4.7). */
function matches(filter: string, topic: string): boolean {
  if (filter === topic) return true;
  const wanted = filter.split("/");
  const levels = topic.split("/");
  return wanted.length === levels.length &&
    wanted.every((level, i) => level === "+" || level === levels[i]);
}

/**
 * One at a time for each task: what accepts a request, and what takes a record
 * over, may be about the same task at the same moment.
 *
 * @module
 */

/** Turns, for each id of a task. */
export class Turns {
  /** The last work for each id. */
  readonly #last = new Map<string, Promise<unknown>>();

  /** Does something when nothing else is done about a task. */
  async take<T>(taskId: string, work: () => Promise<T>): Promise<T> {
    const before = this.#last.get(taskId);
    const turn = (async () => {
      await before?.catch(() => {});
      return await work();
    })();
    this.#last.set(taskId, turn);
    try {
      return await turn;
    } finally {
      if (this.#last.get(taskId) === turn) this.#last.delete(taskId);
    }
  }
}

/**
 * Work on tasks side by side, but for two of one id, which take turns: a request
 * that is delivered, and a record that is taken over, may be the same task.
 *
 * @module
 */

/** Who works on which id. */
export class Turns {
  /** The last work for each id. */
  readonly #last = new Map<string, Promise<unknown>>();

  /** Does some work when nothing of its id is worked on any more. */
  async take<T>(id: string, work: () => Promise<T>): Promise<T> {
    const before = this.#last.get(id);
    const turn = (async () => {
      await before?.catch(() => {});
      return await work();
    })();
    this.#last.set(id, turn);
    return await turn.finally(() => {
      if (this.#last.get(id) === turn) this.#last.delete(id);
    });
  }
}

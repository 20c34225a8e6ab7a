/**
 * Which column of a task's map an event belongs to.
 *
 * A play task that starts for all hosts is a new column, whatever its name:
 * roles that are used twice have two. Under the strategy `free` it starts for
 * one host after the other, and hosts share a column unless one of them comes to
 * a play task of that name again. A result belongs to the column that its host
 * has come to.
 *
 * @module
 */
import type { TaskEvent } from "../messages/event.ts";

/** The part of an event that says where it belongs. */
export type Place = Pick<TaskEvent, "event" | "play" | "task" | "host">;

/** The columns of one run, as its events come. */
export class Columns {
  /** The newest column of each name, and hosts that have come to one. */
  readonly #known = new Map<
    string,
    { columns: number[]; reached: Map<string, number> }
  >();
  #count = 0;

  /** The number of columns. */
  get count(): number {
    return this.#count;
  }

  /** The column of an event, which may be a new one. */
  columnOf({ event, play, task, host }: Place): number {
    const name = JSON.stringify([play, task]);
    let known = this.#known.get(name);
    if (!known) {
      known = { columns: [], reached: new Map() };
      this.#known.set(name, known);
    }
    const { columns, reached } = known;
    const begin = () => {
      columns.push(this.#count++);
      return columns.length - 1;
    };
    if (event === "task_start") {
      if (host === null) {
        reached.clear();
        return columns[begin()]!;
      }
      const next = (reached.get(host) ?? -1) + 1;
      reached.set(host, next < columns.length ? next : begin());
      return columns[reached.get(host)!]!;
    }
    // A result whose start was not received.
    if (columns.length === 0) begin();
    return columns[reached.get(host!) ?? columns.length - 1]!;
  }
}

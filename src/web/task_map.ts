/**
 * A task's map, hosts × play tasks, made of its events.
 *
 * @module
 */
import { CELL_STATES, type TaskMap } from "./model.ts";

/** What a map is made of. */
export interface CellRow {
  col: number;
  host: string | null;
  /** null: a play task starts. */
  state: string | null;
  play: string;
  task: string;
}

/** A map, event by event. */
export class MapBuilder {
  /** As far as it has come. */
  readonly map: TaskMap = { hosts: [], columns: [], cells: [] };
  readonly #hosts = new Map<string, number>();

  /** Adds an event; returns the cell that it fills, null for none. */
  add(row: CellRow): [number, number, string] | null {
    const { map } = this;
    map.columns[row.col] ??= { play: row.play, task: row.task };
    if (row.state === null || row.host === null) return null;
    let host = this.#hosts.get(row.host);
    if (host === undefined) {
      host = map.hosts.push(row.host) - 1;
      map.cells.push("");
      this.#hosts.set(row.host, host);
    }
    const sign = CELL_STATES[row.state as keyof typeof CELL_STATES] ?? ".";
    const cells = map.cells[host]!.padEnd(row.col, ".");
    map.cells[host] = cells.slice(0, row.col) + sign + cells.slice(row.col + 1);
    return [host, row.col, sign];
  }
}

/**
 * What the page knows of tasks, in its database.
 *
 * @module
 */
import type {
  Board,
  CellDetail,
  Filters,
  History,
  OutputWindow,
  TaskDetail,
  TaskMap,
  TaskPage,
} from "./model.ts";

/** What is read of it. */
export interface Store {
  /** A page of tasks; `cursor` is the `next` of the page before. */
  tasks(
    filters: Filters,
    page: { cursor?: string | undefined; limit: number },
  ): TaskPage;
  /** The newest run under an id, or the one with a key; null for none. */
  task(taskId: string, key?: number): TaskDetail | null;
  /** Its map. */
  map(key: number): TaskMap;
  /** What was at a place of its map; null for nothing. */
  cell(key: number, at: { host: number; column: number }): CellDetail | null;
  /** Lines of its output. */
  output(key: number, range: { from: number; lines: number }): OutputWindow;
  /** Numbers of the lines that have a text, at most 1,000. */
  find(key: number, text: string): { lines: number[]; more: boolean };
  /** All but what is known of workers. */
  board(
    filters: Filters,
    page: { cursor?: string | undefined },
  ): Omit<Board, "workers" | "waitsFor">;
  /** The last runs. */
  history(filters: History["filters"]): History;
}

/**
 * The parts of a request for everyone, as they run: one table in a terminal, or
 * a line for each change.
 *
 * @module
 */
import type { TaskStatus } from "../messages/task_status.ts";
import { Board } from "./board.ts";
import { taskLine } from "./progress.ts";
import type { Terminal } from "./terminal.ts";
import type { TaskView } from "./views.ts";

/** Shows them as a table. */
export class PartsBoard implements TaskView {
  readonly #board: Board;
  readonly #workers: number;
  readonly #parts = new Map<string, { status: TaskStatus; at: number }>();
  #note: string | null = null;
  #question: string | null = null;

  /** Begins to draw. */
  constructor(
    terminal: Terminal,
    { group, workers }: { group: string; workers: number },
  ) {
    this.#board = new Board(terminal, group);
    this.#workers = workers;
  }

  /** A row. */
  status(status: TaskStatus): void {
    this.#parts.set(status.task_id, { status, at: performance.now() });
    this.#board.show(() => ({
      tasks: [...this.#parts.values()].sort((a, b) =>
        a.status.task_id < b.status.task_id ? -1 : 1
      ),
      workers: this.#workers,
    }));
  }

  /** What happens on each host is too much for one table. */
  event(): void {}

  /** A line below it. */
  note(text: string | null): void {
    this.#note = text;
    this.#tell();
  }

  /** A line below it. */
  question(text: string | null): void {
    this.#question = text;
    this.#tell();
  }

  /** The table stays as it was drawn last. */
  [Symbol.dispose](): void {
    this.#board[Symbol.dispose]();
  }

  #tell(): void {
    this.#board.note(this.#question ?? this.#note);
  }
}

/** Shows them as lines. */
export class PartsLines implements TaskView {
  readonly #out: (line: string) => void;
  readonly #err: (line: string) => void;
  readonly #last = new Map<string, string>();

  /** What happens goes to `out`, and what is in the way to `err`. */
  constructor(out: (line: string) => void, err: (line: string) => void) {
    this.#out = out;
    this.#err = err;
  }

  /** A line, if more than the time has changed. */
  status(status: TaskStatus): void {
    const key = JSON.stringify({ ...status, duration_seconds: null });
    if (this.#last.get(status.task_id) === key) return;
    this.#last.set(status.task_id, key);
    this.#out(taskLine(status));
  }

  /** What happens on each host is too much for a line each. */
  event(): void {}

  /** A line. */
  note(text: string | null): void {
    if (text !== null) this.#err(text);
  }

  /** There is nobody to answer. */
  question(): void {}

  /** There is nothing to take away. */
  [Symbol.dispose](): void {}
}

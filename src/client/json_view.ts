/**
 * A task as the messages that come, one a line.
 *
 * @module
 */
import { harmlessJson } from "../harmless.ts";
import type { TaskEvent } from "../messages/event.ts";
import type { TaskStatus } from "../messages/task_status.ts";
import type { TaskView } from "./views.ts";

/** A message as one line that is safe in a terminal, too. */
export function jsonLine(message: unknown): string {
  return harmlessJson(JSON.stringify(message));
}

/** Shows one task as messages. */
export class JsonView implements TaskView {
  readonly #out: (line: string) => void;
  readonly #err: (line: string) => void;

  /** Messages go to `out`, and what is in the way to `err`. */
  constructor(out: (line: string) => void, err: (line: string) => void) {
    this.#out = out;
    this.#err = err;
  }

  /** The message. */
  status(status: TaskStatus): void {
    this.#out(jsonLine(status));
  }

  /** The message. */
  event(event: TaskEvent): void {
    this.#out(jsonLine(event));
  }

  /** A line. */
  note(text: string | null): void {
    if (text !== null) this.#err(text);
  }

  /** There is nobody to answer. */
  question(): void {}

  /** There is nothing to take away. */
  [Symbol.dispose](): void {}
}

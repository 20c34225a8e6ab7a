/**
 * A task as plain lines, for a pipe: one for each change.
 *
 * @module
 */
import type { TaskEvent } from "../messages/event.ts";
import type { TaskStatus } from "../messages/task_status.ts";
import {
  counts,
  elapsed,
  failure,
  queued,
  share,
  situation,
} from "./progress.ts";
import type { TaskView } from "./views.ts";

/** Shows one task as lines. */
export class PlainView implements TaskView {
  readonly #out: (line: string) => void;
  readonly #err: (line: string) => void;
  #last = "";

  /** What happens goes to `out`, and what is in the way to `err`. */
  constructor(out: (line: string) => void, err: (line: string) => void) {
    this.#out = out;
    this.#err = err;
  }

  /** A line, if more than the time has changed; the caller reports the end. */
  status(status: TaskStatus): void {
    if (status.completed_at !== null) return;
    const what = [counts(status), situation(status)].filter(Boolean).join(
      "  ",
    );
    const key = `${status.state} ${share(status)} ${what}`;
    if (key === this.#last) return;
    this.#last = key;
    const time = elapsed({ status, at: performance.now() });
    this.#out(
      status.state === "queued"
        ? queued(status)
        : `${status.state}  ${share(status)}  ${time}  ${what}`,
    );
  }

  /** A line, if it is a failure. */
  event(event: TaskEvent): void {
    const text = failure(event);
    if (text !== null) this.#out(text);
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

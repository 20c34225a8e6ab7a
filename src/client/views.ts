/**
 * What a person sees of a task that is followed.
 *
 * @module
 */
import type { TaskEvent } from "../messages/event.ts";
import type { TaskStatus } from "../messages/task_status.ts";

/** Shows one task. */
export interface TaskView extends Disposable {
  /** A status has come. */
  status(status: TaskStatus): void;
  /** An event has come. */
  event(event: TaskEvent): void;
  /** Something that holds for now; null: it does no longer. */
  note(text: string | null): void;
  /** Something to answer; null: it was. */
  question(text: string | null): void;
}

/**
 * What a person sees of a task that is followed.
 *
 * @module
 */
import type { TaskEvent } from "../messages/event.ts";
import type { TaskStatus } from "../messages/task_status.ts";

/** Shows one task. */
export interface TaskView extends Disposable {
  /** Shows a new status. */
  status(status: TaskStatus): void;
  /** Shows an event of the run. */
  event(event: TaskEvent): void;
  /** Something that holds for now; null: it does no longer. */
  note(text: string | null): void;
  /** Something to answer; null: it was. */
  question(text: string | null): void;
}

/**
 * What the tasks tell of themselves to whoever counts or traces them.
 *
 * @module
 */
import type { Rejected } from "../messages/rejected.ts";
import type { Task } from "./task.ts";

/** Is told what becomes of tasks; it must not throw. */
export interface TaskObserver {
  /** A task has left the queue, and its run begins. */
  started(task: Task): void;
  /** This worker publishes a task's final status. */
  ended(task: Task): void;
  /** A task that is about to end was refused: it never waited for a slot here. */
  refused(): void;
  /** A message was discarded. */
  rejected(reason: Rejected["reason"]): void;
}

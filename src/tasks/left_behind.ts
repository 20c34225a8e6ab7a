/**
 * Ending tasks that nobody can go on with: they were running when their worker
 * stopped, or what is left of their request is no request any more. Whoever finds
 * one ends it: the next process of its worker, or the worker that adopts it.
 *
 * @module
 */
import { pause } from "../deadline.ts";
import type { TaskStatus } from "../messages/task_status.ts";
import { endingOf, isBeingEnded } from "./bid.ts";
import type { Log } from "./ports.ts";
import type { PublishedStatus } from "./published_status.ts";
import type { StatusBoard } from "./status_board.ts";

/**
 * How long whoever is about to end a task has for it before the next one does,
 * in milliseconds: it may have died over it.
 */
const ENDING_MS = 5000;

/** What ending them needs. */
export interface LeftBehindOptions {
  board: StatusBoard;
  log: Log;
  observer: { leftBehind(): void };
}

/** Ends what was left behind. */
export class LeftBehind {
  readonly #options: LeftBehindOptions;

  constructor(options: LeftBehindOptions) {
    this.#options = options;
  }

  /**
   * Ends a task whose topic was looked at, unless somebody else is quicker.
   *
   * @param seen what stands there
   * @returns false if somebody else was, or has it
   */
  async end(
    taskId: string,
    seen: PublishedStatus,
    error = "the worker stopped while this task was running",
  ): Promise<boolean> {
    const { board, log, observer } = this.#options;
    if (isBeingEnded(seen) || endingOf(seen) > 0) await pause(ENDING_MS);
    if (!await board.endOnBehalf(taskId, seen, endOf(seen.status, error))) {
      return false;
    }
    observer.leftBehind();
    log.warn(`a task was left behind, and has failed: ${error}`, {
      task_id: taskId,
      worker_id: seen.status.worker_id,
    });
    return true;
  }
}

function endOf(status: TaskStatus, error: string): TaskStatus {
  const now = new Date();
  const { started_at: startedAt } = status;
  return {
    ...status,
    state: "failed",
    completed_at: now.toISOString(),
    duration_seconds: startedAt === null
      ? null
      : Math.max(0, now.getTime() - new Date(startedAt).getTime()) / 1000,
    error_message: error,
    current_task: null,
  };
}

/**
 * The states of a task, and how it may move between them.
 *
 * ```text
 *          ┌────────┐        ┌─────────┐
 *  ─────▶  │ queued │ ─────▶ │ running │ ─────▶ success
 *          └────────┘        └─────────┘
 *    │          │                 │
 *    ▼          ▼                 ▼
 *  failed    failed            failed
 *            cancelled         cancelled
 *                              timeout
 * ```
 *
 * A task that is refused (queue full, not allowed, playbook not found) is
 * `failed` without ever having been `queued`.
 *
 * @module
 */
import type { TaskState, TaskStatus } from "../messages/task_status.ts";

const NEXT: Record<TaskState | "new", readonly TaskState[]> = {
  new: ["queued", "failed"],
  queued: ["running", "failed", "cancelled"],
  running: ["success", "failed", "cancelled", "timeout"],
  success: [],
  failed: [],
  cancelled: [],
  timeout: [],
};

/** Whether a task in this state stays in it for ever. */
export function isFinal(state: TaskState | "new"): boolean {
  return NEXT[state].length === 0;
}

/** The rank of a task that has ended: above all that lead there. */
const ENDED = Number.MAX_SAFE_INTEGER;

/**
 * Of two holders of one task, the one that is further has it (see
 * `topic_lock.ts`): 0 for a task that waits, 1 for one that runs, more for one
 * whose end is about to be said, and most for one that has ended. Whoever has
 * refused a request that it did not have has nothing: -1.
 */
export function rankOf(
  { state, started_at }: Pick<TaskStatus, "state" | "started_at">,
  { held }: { held: boolean },
): number {
  if (!held && state === "failed" && started_at === null) return -1;
  return isFinal(state) ? ENDED : state === "running" ? 1 : 0;
}

/** Whether a task may move from the one state to the other. */
export function mayMove(from: TaskState | "new", to: TaskState): boolean {
  return NEXT[from].includes(to);
}

/**
 * The task status: what a worker says of a task, retained, on its own topic.
 *
 * @module
 */
import { z } from "zod";
import { encodeInOrder } from "./encode.ts";
import { inventorySchema } from "./task_request.ts";
import { timeSchema } from "./time.ts";

/** Every state that a task can be in; `tasks/states.ts` says how it moves. */
export const TASK_STATES = [
  "queued",
  "running",
  "success",
  "failed",
  "cancelled",
  "timeout",
] as const;

/** One of the states. */
export type TaskState = typeof TASK_STATES[number];

/** The longest `error_message`, in bytes of UTF-8. */
export const MAX_ERROR_MESSAGE_BYTES = 4096;

/** A column of PLAY RECAP. */
function recap(what: string) {
  return z.int().min(0).describe(`${what}, summed up over all hosts.`);
}

/** The schema of a status; its keys are in the order in which they are sent. */
export const taskStatusSchema = z.strictObject({
  task_id: z.string().describe("The task, as in the request."),
  state: z.enum(TASK_STATES).describe(
    "Where the task stands. success, failed, cancelled and timeout are final.",
  ),
  created_at: timeSchema.describe("When the first worker accepted the task."),
  started_at: timeSchema.nullable().describe(
    "When its run started; null before that.",
  ),
  completed_at: timeSchema.nullable().describe(
    "When it got its final state; null before that.",
  ),
  duration_seconds: z.number().min(0).nullable().describe(
    "Seconds since the run started, and at the end how long it took; null before the start.",
  ),
  tasks_total: z.int().min(0).describe(
    "Results that the run is expected to have, all hosts together. It does not shrink while the run goes on, and at the end it is ok + failed + skipped + unreachable + rescued.",
  ),
  tasks_ok: recap("Results that are ok, the changed ones among them"),
  tasks_changed: recap("Results that have changed something"),
  tasks_failed: recap("Results that have failed"),
  tasks_skipped: recap("Results that were skipped"),
  tasks_unreachable: recap("Results of hosts that could not be reached"),
  return_code: z.int().nullable().describe(
    "What ansible-playbook returned; null before its end, and if it did not run.",
  ),
  error_message: z.string().nullable().describe(
    "Why it has failed or was ended, at most 4096 bytes: the host, the play task and Ansible's message; null if it was neither.",
  ),
  tasks_rescued: recap("Failures that a rescue section has made good"),
  tasks_ignored: recap("Failures that were ignored"),
  playbook: z.string().describe("The playbook, as in the request."),
  inventory: inventorySchema.describe("The inventory, as in the request."),
  worker_id: z.string().describe("The worker that has the task."),
  current_task: z.string().nullable().describe(
    "The play task that runs; null while none does.",
  ),
}).meta({
  title: "Task status",
  description:
    "What a worker says of a task: queued, running with its numbers so far, and one final status. Retained on a topic of the task's own.",
});

/** A task status. */
export type TaskStatus = z.output<typeof taskStatusSchema>;

/** The numbers of a run, and what it is at. */
export type Progress = Pick<
  TaskStatus,
  | "tasks_total"
  | "tasks_ok"
  | "tasks_changed"
  | "tasks_failed"
  | "tasks_skipped"
  | "tasks_unreachable"
  | "tasks_rescued"
  | "tasks_ignored"
  | "current_task"
>;

/** Before anything has happened. */
export const NO_PROGRESS: Progress = {
  tasks_total: 0,
  tasks_ok: 0,
  tasks_changed: 0,
  tasks_failed: 0,
  tasks_skipped: 0,
  tasks_unreachable: 0,
  tasks_rescued: 0,
  tasks_ignored: 0,
  current_task: null,
};

/** A status with its keys in the order of the schema, as JSON. */
export function encodeTaskStatus(status: TaskStatus): string {
  return encodeInOrder(taskStatusSchema, status);
}

/**
 * Cuts a text to a number of bytes of UTF-8, never inside a character; what is
 * cut ends with `…`.
 */
export function cutToBytes(text: string, bytes: number): string {
  const encoded = new TextEncoder().encode(text);
  if (encoded.length <= bytes) return text;
  let end = bytes - 3;
  while (end > 0 && (encoded[end]! & 0xc0) === 0x80) end--;
  return new TextDecoder().decode(encoded.subarray(0, end)) + "…";
}

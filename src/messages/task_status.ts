/**
 * The task status: what a worker says of a task, retained, on its own topic.
 *
 * @module
 */
import { z } from "zod";
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

const count = z.int().min(0);

/** The schema of a status; its keys are in the order in which they are sent. */
export const taskStatusSchema = z.strictObject({
  task_id: z.string(),
  state: z.enum(TASK_STATES),
  created_at: timeSchema,
  started_at: timeSchema.nullable(),
  completed_at: timeSchema.nullable(),
  duration_seconds: z.number().min(0).nullable(),
  tasks_total: count,
  tasks_ok: count,
  tasks_changed: count,
  tasks_failed: count,
  tasks_skipped: count,
  tasks_unreachable: count,
  return_code: z.int().nullable(),
  error_message: z.string().nullable(),
  tasks_rescued: count,
  tasks_ignored: count,
  playbook: z.string(),
  inventory: z.string(),
  worker_id: z.string(),
  current_task: z.string().nullable(),
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
  const ordered: Record<string, unknown> = {};
  for (const key of Object.keys(taskStatusSchema.shape)) {
    ordered[key] = status[key as keyof TaskStatus];
  }
  return JSON.stringify(ordered);
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

/**
 * The task status: what a worker says of a task, retained, on its own topic.
 *
 * @module
 */
import { z } from "zod";
import { isMapping } from "../mapping.ts";
import { encodeInOrder, firstWithin } from "./encode.ts";
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

/** The most names of hosts in one list of a status. */
export const MAX_HOST_NAMES = 1000;

/** The longest name of a host in such a list, in characters. */
export const MAX_HOST_NAME = 255;

/** The longest `stats`, in bytes of JSON. */
export const MAX_STATS_BYTES = 64 * 1024;

/** The names of hosts, as many as are told. */
function hostNames(what: string) {
  return z.strictObject({
    names: z.array(z.string()).max(MAX_HOST_NAMES).describe(
      `Their names, at most ${MAX_HOST_NAMES}, as Ansible knows them.`,
    ),
    more: z.int().min(0).describe("How many there are beyond those names."),
  }).describe(what);
}

/** Names with values of any kind. */
const values = z.record(z.string(), z.unknown());

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
  playbook: z.string().nullable().describe(
    "The playbook, as in the request or its template; null if only a template says it that the worker does not have.",
  ),
  inventory: inventorySchema.nullable().describe(
    "The inventory, as in the request or its template; null as the playbook.",
  ),
  worker_id: z.string().describe("The worker that has the task."),
  current_task: z.string().nullable().describe(
    "The play task that runs; while the task waits for its lock, that it does; null otherwise.",
  ),
  template: z.string().nullable().describe(
    "The template that was asked for; null for none.",
  ),
  revision: z.string().nullable().describe(
    "The commit of the playbooks that it runs on, as its full id; null before its start, and where they do not come from git.",
  ),
  lock: z.string().nullable().describe(
    "The lock that it runs under; null for none.",
  ),
  failed_hosts: hostNames(
    "The hosts for which PLAY RECAP counts failed results.",
  ),
  unreachable_hosts: hostNames(
    "The hosts for which PLAY RECAP counts unreachable results.",
  ),
  stats: z.strictObject({
    run: values.describe("What is of the run as a whole."),
    hosts: z.record(z.string(), values).describe(
      "What is of one host (per_host), by the host's name.",
    ),
  }).nullable().describe(
    "What set_stats has left at the end of the run, without what no_log hides; null before the end, if there is nothing, or if it is more than 64 KiB.",
  ),
}).meta({
  title: "Task status",
  description:
    "What a worker says of a task: queued, running with its numbers so far, and one final status. Retained on a topic of the task's own.",
});

/** A task status. */
export type TaskStatus = z.output<typeof taskStatusSchema>;

/**
 * A status as a worker of any version may have published it: what it does not
 * say is what a run begins with, and what only it says is passed over.
 */
export const receivedStatusSchema: z.ZodType<TaskStatus> = z.preprocess(
  (value) => isMapping(value) ? { ...ADDED, ...value } : value,
  taskStatusSchema.loose(),
);

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
  | "failed_hosts"
  | "unreachable_hosts"
  | "stats"
>;

/** What came of a run before anything has happened. */
const NO_RESULTS = {
  failed_hosts: { names: [], more: 0 },
  unreachable_hosts: { names: [], more: 0 },
  stats: null,
};

/** Fields that earlier versions do not publish. */
const ADDED = {
  template: null,
  revision: null,
  lock: null,
  ...NO_RESULTS,
};

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
  ...NO_RESULTS,
};

/** A status with its keys in the order of the schema, as JSON. */
export function encodeTaskStatus(status: TaskStatus): string {
  return encodeInOrder(taskStatusSchema, status);
}

/**
 * A status as JSON of at most so many bytes: without what `set_stats` has left,
 * then with fewer names of hosts, then with less of the error, where what stands
 * in it says so. What identifies it and counts stays.
 *
 * @returns null if even so it would not fit
 */
export function shortenTaskStatus(
  status: TaskStatus,
  bytes: number,
): string | null {
  return firstWithin(bytes, shorterAndShorter(status).map(encodeTaskStatus));
}

function* shorterAndShorter(status: TaskStatus): Generator<TaskStatus> {
  let shorter = status;
  yield shorter;
  yield shorter = { ...shorter, stats: null };
  while (
    shorter.failed_hosts.names.length + shorter.unreachable_hosts.names.length >
      0
  ) {
    yield shorter = {
      ...shorter,
      failed_hosts: halved(shorter.failed_hosts),
      unreachable_hosts: halved(shorter.unreachable_hosts),
    };
  }
  yield shorter = { ...shorter, current_task: null };
  const { error_message: error } = shorter;
  if (error === null) return;
  for (let left = MAX_ERROR_MESSAGE_BYTES; left > 3; left /= 2) {
    yield { ...shorter, error_message: cutToBytes(error, left) + SHORTENED };
  }
  yield { ...shorter, error_message: cutToBytes(error, 3) + SHORTENED };
}

/** Half of the names; the others are only counted. */
function halved(
  { names, more }: TaskStatus["failed_hosts"],
): TaskStatus["failed_hosts"] {
  const kept = Math.floor(names.length / 2);
  return { names: names.slice(0, kept), more: more + names.length - kept };
}

/** Stands behind what was shortened. */
const SHORTENED = " (shortened: the broker takes no larger message)";

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

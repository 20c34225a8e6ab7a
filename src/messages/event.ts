/**
 * The events of a run: one message for the start of each play task, and one for
 * each host result that PLAY RECAP counts.
 *
 * @module
 */
import { z } from "zod";
import { encodeInOrder } from "./encode.ts";
import { timeSchema } from "./time.ts";

/** What a host result can be; each is one column of PLAY RECAP, or two. */
export const EVENT_STATES = [
  "ok",
  "changed",
  "failed",
  "unreachable",
  "skipped",
  "rescued",
  "ignored",
] as const;

/**
 * The schema of an event; its keys are in the order in which they are sent. At
 * the start of a play task, what belongs to a host's result is null.
 */
export const eventSchema = z.strictObject({
  task_id: z.string().describe("The task whose run this is about."),
  seq: z.int().min(1).describe(
    "Counts the events of the task as they are published: 1, 2, 3, … " +
      "A number that comes again is the same event sent again.",
  ),
  time: timeSchema.describe("When it happened."),
  event: z.enum(["task_start", "result"]).describe(
    "task_start: a play task starts (under the strategy free, for a host); " +
      "result: a host has finished one.",
  ),
  play: z.string().describe("The name of the play."),
  task: z.string().describe("The name of the play task."),
  host: z.string().nullable().describe("The host whose result it is."),
  state: z.enum(EVENT_STATES).nullable().describe(
    "What PLAY RECAP counts the result as: changed is ok and changed there, " +
      "ignored is a failure that counts as ok and ignored, rescued one that " +
      "counts as rescued only.",
  ),
  changed: z.boolean().nullable().describe(
    "Whether PLAY RECAP counts it as changed.",
  ),
  duration_seconds: z.number().min(0).nullable().describe(
    "How long the host was at the play task, in seconds; null where Ansible " +
      "does not tell.",
  ),
  message: z.string().nullable().describe(
    "What the module said, cut after 2,000 characters: why it failed, or its " +
      "message; null if there is none. Results under no_log show nothing.",
  ),
  left_out: z.int().min(0).describe(
    "How many events were left out before this one since the broker was too " +
      "slow for them; they have no numbers. 0 unless something is missing.",
  ),
}).meta({
  title: "Task event",
  description:
    "A play task has started, or a host has finished one. Published in order, and before the final status, if worker.publish_events is set.",
});

/** An event. */
export type TaskEvent = z.output<typeof eventSchema>;

/** An event as the run tells it, before it has its number. */
export type UnnumberedEvent = Omit<TaskEvent, "task_id" | "seq" | "left_out">;

/** An event with its keys in the order of the schema, as JSON. */
export function encodeEvent(event: TaskEvent): string {
  return encodeInOrder(eventSchema, event);
}

/**
 * The task event: one step of a run, for whoever follows it.
 *
 * @module
 */
import { z } from "zod";
import { timeSchema } from "./time.ts";

/** The schema of an event; its keys are in the order in which they are sent. */
export const eventSchema = z.strictObject({
  task_id: z.string().describe("The task, as in the request."),
  seq: z.int().min(0).describe(
    "The number of the event: each is one more than the one before.",
  ),
  time: timeSchema.describe("When it happened."),
  event: z.enum(["task_start", "result"]).describe(
    "task_start: a play task starts; result: it has ended on one host.",
  ),
  play: z.string().describe("The name of the play."),
  task: z.string().describe("The name of the play task."),
  host: z.string().nullable().describe("The host; null for a task_start."),
  state: z.enum([
    "ok",
    "changed",
    "failed",
    "unreachable",
    "skipped",
    "rescued",
    "ignored",
  ]).nullable().describe(
    "What came of it on this host; null for a task_start.",
  ),
  changed: z.boolean().nullable().describe(
    "Whether it has changed something on this host; null for a task_start.",
  ),
  duration_seconds: z.number().min(0).nullable().describe(
    "Seconds that it took on this host; null for a task_start.",
  ),
  message: z.string().nullable().describe(
    "What Ansible says of it, cut where it is long; null if it says nothing, and for a task_start.",
  ),
}).meta({
  title: "Task event",
  description:
    "A play task has started, or has ended on one host. Published in order, if worker.publish_events is set.",
});

/** A task event. */
export type TaskEvent = z.output<typeof eventSchema>;

/**
 * The task output: what ansible-playbook prints, in pieces.
 *
 * @module
 */
import { z } from "zod";

/** The schema of a piece of output; its keys are in the order as sent. */
export const outputSchema = z.strictObject({
  task_id: z.string().describe("The task, as in the request."),
  seq: z.int().min(0).describe(
    "The number of the piece: each is one more than the one before.",
  ),
  stream: z.enum(["stdout", "stderr"]).describe("Where it was printed."),
  text: z.string().describe("What was printed, at most 64 KiB."),
  truncated: z.boolean().describe(
    "Whether this is the last piece because the output of the task is longer than its limit.",
  ),
}).meta({
  title: "Task output",
  description:
    "A piece of what ansible-playbook prints. Published in order, if worker.publish_output is set.",
});

/** A piece of a task's output. */
export type TaskOutput = z.output<typeof outputSchema>;

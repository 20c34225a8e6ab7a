/**
 * What ansible-playbook prints in a run, in pieces.
 *
 * @module
 */
import { z } from "zod";
import { encodeInOrder } from "./encode.ts";

/** The streams of a program. */
export const OUTPUT_STREAMS = ["stdout", "stderr"] as const;

/** One of the streams. */
export type OutputStream = typeof OUTPUT_STREAMS[number];

/** The largest message, in bytes: the whole JSON text. */
export const MAX_OUTPUT_MESSAGE_BYTES = 65_536;

/** Of these, what is not the text: the other fields, with the longest id. */
const OTHER_FIELDS_BYTES = 512;

/** A character of a text takes at most so many bytes in JSON: `\u001b`. */
const MAX_BYTES_PER_UNIT = 6;

/** The schema of a piece; its keys are in the order in which they are sent. */
export const outputSchema = z.strictObject({
  task_id: z.string().describe("The task whose run has printed this."),
  seq: z.int().min(1).describe(
    "Counts the messages of the task as they are published: 1, 2, 3, … " +
      "A number that comes again is the same message sent again.",
  ),
  stream: z.enum(OUTPUT_STREAMS).describe("Where it was printed."),
  text: z.string().describe(
    "What was printed; what is not UTF-8 is replaced by U+FFFD. The texts of " +
      "one stream, one after the other, are what ansible-playbook wrote there.",
  ),
  truncated: z.boolean().describe(
    "True on a last message, whose text is the worker's own and says that the " +
      "rest is beyond worker.output_limit.",
  ),
  left_out: z.int().min(0).describe(
    "How many bytes of the output were left out before this message since the " +
      "broker was too slow for them. 0 unless something is missing.",
  ),
}).meta({
  title: "Task output",
  description:
    "A piece of what ansible-playbook prints. Published in order, and before the final status, if worker.publish_output is set.",
});

/** A piece of the output. */
export type TaskOutput = z.output<typeof outputSchema>;

/** A piece with its keys in the order of the schema, as JSON. */
export function encodeOutput(output: TaskOutput): string {
  return encodeInOrder(outputSchema, output);
}

/** Cuts a text, between characters, into pieces that fit into a message each. */
export function piecesOf(text: string): string[] {
  if (fits(text)) return [text];
  let middle = text.length >> 1;
  const unit = text.charCodeAt(middle);
  // The second half of a surrogate pair stays with the first one.
  if (unit >= 0xdc00 && unit <= 0xdfff) middle++;
  return [
    ...piecesOf(text.slice(0, middle)),
    ...piecesOf(text.slice(middle)),
  ];
}

function fits(text: string): boolean {
  const max = MAX_OUTPUT_MESSAGE_BYTES - OTHER_FIELDS_BYTES;
  if (text.length * MAX_BYTES_PER_UNIT <= max) return true;
  return new TextEncoder().encode(JSON.stringify(text)).length <= max;
}

/** What a run has printed, before it is cut into pieces. */
export interface Printed {
  stream: OutputStream;
  /** What was printed there, one character whole after the other. */
  text: string;
  /** Set on the last one, which has no text: the rest is beyond the limit. */
  truncated?: boolean;
}

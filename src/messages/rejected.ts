/**
 * The report of a message that was discarded, and why.
 *
 * @module
 */
import { z } from "zod";
import { timeSchema } from "./time.ts";

/** One problem with one field; `path` is empty for the message as a whole. */
export type FieldError = { path: string; message: string };

/** The schema of a message on the rejected topic. */
export const rejectedSchema = z.strictObject({
  received_at: timeSchema.describe("When the worker has discarded it."),
  worker_id: z.string().describe("The worker that has discarded it."),
  task_id: z.string().nullable().describe(
    "The task that it was about; null where that cannot be told.",
  ),
  reason: z.enum([
    "invalid_json",
    "invalid_request",
    "too_large",
    "retained",
    "duplicate",
    "unsigned",
    "bad_signature",
    "wrong_audience",
    "wrong_subject",
    "not_yet_valid",
    "expired",
    "replayed",
  ]).describe("What was wrong, for a program."),
  errors: z.array(z.strictObject({
    path: z.string().describe(
      "The field that it is about; empty for the message as a whole.",
    ),
    message: z.string().describe("What is wrong with it."),
  })).describe("What was wrong, for a person, one entry a problem."),
  payload_excerpt: z.string().describe(
    "The first 200 bytes of the message, to recognise it by; what is not printable is a dot.",
  ),
}).meta({
  title: "Rejected message",
  description:
    "The report of a request or a cancel that was discarded: it is no valid one, or a duplicate. There is no status for it.",
});

/** A message on the rejected topic. */
export type Rejected = z.output<typeof rejectedSchema>;

/**
 * The first 200 bytes of a payload as text on one line, for a person to
 * recognise it by; what is not printable is shown as `.`.
 */
export function excerpt(payload: Uint8Array): string {
  const text = new TextDecoder().decode(payload.subarray(0, 200))
    // deno-lint-ignore no-control-regex
    .replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, ".");
  return payload.length > 200 ? `${text}…` : text;
}

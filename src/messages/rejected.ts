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
  received_at: timeSchema,
  worker_id: z.string(),
  task_id: z.string().nullable(),
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
  ]),
  errors: z.array(z.strictObject({ path: z.string(), message: z.string() })),
  payload_excerpt: z.string(),
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

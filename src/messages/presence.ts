/**
 * What workers say of themselves: presence, load, and what they have claimed.
 *
 * @module
 */
import { z } from "zod";
import { timeSchema } from "./time.ts";

/** The schema of a presence, retained on a topic of the worker's own. */
export const presenceSchema = z.strictObject({
  worker_id: z.string(),
  /** New with every process, so that a restart can be told from a return. */
  instance: z.string(),
  state: z.enum(["online", "draining", "offline", "adopted"]),
  slots: z.int().min(1),
  version: z.string(),
  ansible_version: z.string(),
  host: z.string(),
  started_at: timeSchema,
  updated_at: timeSchema,
  /** Who adopts (state offline) or has adopted (state adopted) the session. */
  adopted_by: z.string().optional(),
});

/** A worker's presence. */
export type Presence = z.output<typeof presenceSchema>;

/** The schema of a load. */
export const loadSchema = z.strictObject({
  worker_id: z.string(),
  /** Slots that the next task could start in at once. */
  free_slots: z.int().min(0),
  /** Tasks that wait here. */
  queued: z.int().min(0),
  /** Tasks that the queue still has room for. */
  room: z.int().min(0),
  /** Rises with each load that a worker publishes. */
  seq: z.int().min(0),
});

/** A worker's load. */
export type Load = z.output<typeof loadSchema>;

/** The schema of a claim list. */
export const claimsSchema = z.strictObject({
  worker_id: z.string(),
  instance: z.string(),
  /** The ids that this worker has taken from the broker, or is taking. */
  tasks: z.array(z.string()),
});

/** The ids that a worker has claimed. */
export type Claims = z.output<typeof claimsSchema>;

/**
 * Reads one of the messages between workers.
 *
 * @returns null for an empty payload (a retained message that was cleared) and
 * for anything that does not fit the schema
 */
export function readAs<T>(
  schema: z.ZodType<T>,
  payload: Uint8Array,
): T | null {
  if (payload.length === 0) return null;
  try {
    const result = schema.safeParse(
      JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(payload)),
    );
    return result.success ? result.data : null;
  } catch {
    return null;
  }
}

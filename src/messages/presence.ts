/**
 * What workers say of themselves: presence and load.
 *
 * @module
 */
import { z } from "zod";
import { templateSchema } from "./template.ts";
import { timeSchema } from "./time.ts";

/** The schema of what a worker says of its playbooks. */
const contentSchema = z.strictObject({
  revision: z.string().describe("The commit that is in use, as its full id."),
  ref: z.string().describe("The branch, tag or commit that is looked at."),
  since: timeSchema.describe("Since when it has been in use."),
  problem: z.string().nullable().describe(
    "Why a newer one is not, or why the repository cannot be looked at, by the latest look; null if all is well.",
  ),
}).meta({ description: "Playbooks from git." });

/** What a worker says of its playbooks. */
export type ContentState = z.output<typeof contentSchema>;

/** The schema of a presence, retained on a topic of the worker's own. */
export const presenceSchema = z.strictObject({
  worker_id: z.string().describe("The worker."),
  instance: z.string().describe(
    "New with every process, so that a restart can be told from a return.",
  ),
  state: z.enum(["online", "draining", "offline", "adopted"]).describe(
    "online: it takes tasks; draining: it is stopping; offline: it has stopped, or is lost; adopted: another worker has taken over its tasks.",
  ),
  slots: z.int().min(1).describe("How many tasks it runs at once."),
  version: z.string().describe("The version of ansible-worker."),
  ansible_version: z.string().describe("The version of ansible-core."),
  host: z.string().describe("The host that it runs on."),
  started_at: timeSchema.describe("When its process started."),
  updated_at: timeSchema.describe("When this was said."),
  templates: z.array(templateSchema).optional().describe(
    "What may be asked for here by name; only with online, and left out if there is nothing.",
  ),
  content: contentSchema.optional().describe(
    "Where its playbooks stand; only with online, and left out if they do not come from git.",
  ),
  adopted_by: z.string().optional().describe(
    "Who takes over its tasks (offline), or has taken them over (adopted).",
  ),
}).meta({
  title: "Presence",
  description:
    "Whether a worker is there. Retained on a topic of the worker's own; the broker sets it to offline when the worker is lost.",
});

/** A worker's presence. */
export type Presence = z.output<typeof presenceSchema>;

/** Whether a worker is connected, by what it has said last, if anything. */
export function isConnected(
  said: { readonly state: string } | null | undefined,
): boolean {
  return said?.state === "online" || said?.state === "draining";
}

/** The schema of a load. */
export const loadSchema = z.strictObject({
  worker_id: z.string().describe("The worker."),
  free_slots: z.int().min(0).describe(
    "Slots that the next task could start in at once.",
  ),
  queued: z.int().min(0).describe("Tasks that wait here."),
  room: z.int().min(0).describe("Tasks that the queue still has room for."),
  seq: z.int().min(0).describe("Rises with each load that a worker publishes."),
}).meta({
  title: "Load",
  description:
    "What a worker has to do. Retained on a topic of the worker's own. Published at once when the worker becomes idle or is so no longer, and when its queue is full or is so no longer; other numbers may be 5 seconds old.",
});

/** A worker's load. */
export type Load = z.output<typeof loadSchema>;

const utf8 = new TextDecoder("utf-8", { fatal: true });

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
      JSON.parse(utf8.decode(payload)),
    );
    return result.success ? result.data : null;
  } catch {
    return null;
  }
}

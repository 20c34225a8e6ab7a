/**
 * The lock: what a worker says, retained, of a name that one task of the group
 * has at a time.
 *
 * @module
 */
import { z } from "zod";
import { timeSchema } from "./time.ts";

/** One level of a topic, so neither `/` nor `+` nor `#`: 1 to 128 characters. */
export const lockNameSchema = z.string().regex(
  /^[A-Za-z0-9._:@~-]{1,128}$/,
  "must be 1 to 128 characters of A-Z a-z 0-9 . _ : @ ~ -",
);

/** The schema of a lock, retained on a topic of its own. */
export const lockSchema = z.strictObject({
  lock: z.string().describe("Its name, as in the request or the template."),
  state: z.enum(["wanted", "held", "free"]).describe(
    "wanted: a worker asks for it; held: the task has it; free: it was given back.",
  ),
  task_id: z.string().describe("The task that it is about."),
  worker_id: z.string().describe("The worker that has this task."),
  instance: z.string().describe(
    "The worker's process, as in its presence: with it, what it holds is gone.",
  ),
  created_at: timeSchema.describe(
    "When the task was accepted: of several that ask at once, the one that has waited longest has it.",
  ),
  updated_at: timeSchema.describe("When this was said."),
  generation: z.int().min(1).describe(
    "How often the lock has been taken, this time included.",
  ),
}).meta({
  title: "Lock",
  description:
    "Who has a lock. Tasks with the same lock never run at the same time. Retained on a topic of the lock's own.",
});

/** What is said of a lock. */
export type Lock = z.output<typeof lockSchema>;

/**
 * The name of the lock that an inventory is (`worker.lock_by`): the inventory as
 * it is asked for, with `~` and two digits for each byte that a name has not.
 */
export async function inventoryLock(
  inventories: readonly string[],
): Promise<string> {
  const name = inventories.map((one) => plain(one)).join("\n");
  const bytes = new TextEncoder().encode(name);
  const text = [...bytes].map((byte) => {
    const character = String.fromCharCode(byte);
    return /[A-Za-z0-9._-]/.test(character) ? character : `~${hex(byte)}`;
  }).join("");
  if (text.length <= MAX_READABLE) return `inventory:${text}`;
  const digest = await crypto.subtle.digest("SHA-256", bytes);
  return `inventory:@${[...new Uint8Array(digest)].map(hex).join("")}`;
}

/** What a name has room for, behind what it begins with. */
const MAX_READABLE = 118;

/** A path without what makes no difference in it. */
function plain(inventory: string): string {
  if (inventory.includes(",")) return inventory;
  const levels: string[] = [];
  for (const level of inventory.split("/")) {
    if (level === "" || level === ".") continue;
    if (level === ".." && levels.length > 0) levels.pop();
    else levels.push(level);
  }
  return levels.join("/");
}

function hex(byte: number): string {
  return byte.toString(16).padStart(2, "0");
}

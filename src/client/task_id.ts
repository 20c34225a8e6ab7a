/**
 * Ids of new tasks.
 *
 * @module
 */

/** One that sorts by time, and that a person can read: `20260504-120000-ab12cd`. */
export function newTaskId(now = new Date()): string {
  const [date, time] = now.toISOString().slice(0, 19).replaceAll(/[-:]/g, "")
    .split("T");
  const random = crypto.getRandomValues(new Uint8Array(3)).toHex();
  return `${date}-${time}-${random}`;
}

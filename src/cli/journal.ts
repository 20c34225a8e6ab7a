/**
 * Whether somebody else writes down when a line was written.
 *
 * @module
 */
import { fstatSync } from "node:fs";

/** The file of stderr. */
const STDERR = 2;

/** Whether what is written to stderr goes to systemd's journal (systemd.exec(5)). */
export function isJournal(): boolean {
  const { dev, ino } = fstatSync(STDERR);
  return Deno.env.get("JOURNAL_STREAM") === `${dev}:${ino}`;
}

/**
 * Telling texts apart by a few characters.
 *
 * @module
 */
import { createHash } from "node:crypto";

/** The first eight hexadecimal digits of a text's SHA-256. */
export function shortHash(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 8);
}

/**
 * Paths by the patterns of a policy.
 *
 * @module
 */
import { normalize } from "node:path/posix";
import { matchesGlob } from "node:path";

/** Whether a path is none of what patterns allow; without any, all is allowed. */
export function isOutside(
  path: string,
  patterns: readonly string[] | undefined,
): boolean {
  return patterns !== undefined &&
    !patterns.some((pattern) => matchesGlob(normalize(path), pattern));
}

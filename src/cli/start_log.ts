/**
 * What is to be said before a program of ours starts.
 *
 * @module
 */
import { type Need, openToOthers, type SecretFile } from "../config/mod.ts";
import type { Log } from "../log.ts";

/** Says what the sandbox denies; `started` is what needs it. */
export function sayDenied(
  denied: readonly Need[],
  { log, started }: { log: Log; started: "the worker" | "the page" },
): void {
  for (const { kind, value, why } of denied) {
    log.error(
      `Deno's sandbox does not allow what is needed ${why}; start ${started} with --allow-${kind}=${value}`,
    );
  }
}

/** Warns of secrets that others of this host may read. */
export async function warnOfOpenFiles(
  files: readonly SecretFile[],
  log: Log,
): Promise<void> {
  for (const { path, key } of await openToOthers(files)) {
    log.warn(
      `other users of this host may read "${path}", which has a secret in it (${key}); to prevent it: chmod 600 ${path}`,
    );
  }
}

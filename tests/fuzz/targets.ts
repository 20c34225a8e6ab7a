/**
 * Everything that takes what others have written, and a run over all of it.
 *
 * @module
 */
import fc from "fast-check";
import { betweenWorkersTarget } from "./between_workers.ts";
import { configurationTarget } from "./configurations.ts";
import { frameTarget } from "./frames.ts";
import type { Target } from "./mutation.ts";
import { requestTarget } from "./requests.ts";
import { signatureTarget, unsignedTarget } from "./signatures.ts";

/** All of them; their shares add up to 100. */
export const targets: readonly Target[] = [
  requestTarget,
  configurationTarget,
  frameTarget,
  signatureTarget,
  unsignedTarget,
  betweenWorkersTarget,
];

/** How many cases are tried between two reports of progress. */
const BATCH = 500;

/**
 * Tries a target; the error of a case that fails names the seed and the case.
 *
 * @param options.onProgress gets how many more cases have passed
 */
export async function fuzz(
  target: Target,
  { cases, seed, onProgress }: {
    cases: number;
    seed: number;
    onProgress?(more: number): void;
  },
): Promise<void> {
  for (let done = 0; done < cases; done += BATCH) {
    const numRuns = Math.min(BATCH, cases - done);
    await fc.assert(target.property(), { numRuns, seed: seed + done });
    onProgress?.(numRuns);
  }
}

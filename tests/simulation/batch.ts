/**
 * Many runs, one after the other, and what came of them.
 *
 * @module
 */
import { KNOWN_FAILURES } from "./known_failures.ts";
import type { Breach, PromiseName } from "./oracle.ts";
import { drawPlan, type Plan } from "./plan.ts";
import { type Profile, type ProfileName, PROFILES } from "./profiles.ts";
import { run } from "./world.ts";

/** The plan of a seed under a profile. */
export function planOf(
  seed: number,
  profile: ProfileName,
  size: { tasks?: number; workers?: number } = {},
): Plan {
  const { behaviour, leanings = {} }: Profile = PROFILES[profile];
  const isLate = behaviour.lateRetained !== null ||
    behaviour.passesOnWithinMs > 0;
  return drawPlan(seed, { profile, isLate, leanings, ...size });
}

/** Those breaches that nobody knew of. */
export function unknown(
  profile: ProfileName,
  breaches: readonly Breach[],
): Breach[] {
  const known = KNOWN_FAILURES[profile] ?? {};
  return breaches.filter(({ promise }) => !(promise in known));
}

/** A run that has broken a promise. */
export interface Failure {
  plan: Plan;
  breaches: Breach[];
}

/** What came of many runs. */
export interface Batch {
  profile: ProfileName;
  runs: number;
  /** How many runs have broken each promise. */
  fell: Map<PromiseName, number>;
  /** The runs that have broken a promise that nobody knew to fall. */
  failures: Failure[];
  /** How often what has happened. */
  counts: Map<string, number>;
  packets: number;
  /** A digest of all stories, if they were asked for. */
  hashes: string[];
  /** Megabytes in use after a third of the runs, and at the end. */
  memory: { early: number; late: number } | null;
}

/** Runs a batch; it ends at the first failure that nobody knew of, or later. */
export async function runBatch(
  plans: Iterable<Plan>,
  { profile, told = false, maxFailures = 1, runs }: {
    profile: ProfileName;
    told?: boolean;
    maxFailures?: number;
    /** How many plans there are. */
    runs: number;
  },
): Promise<Batch> {
  const batch: Batch = {
    profile,
    runs: 0,
    fell: new Map(),
    failures: [],
    counts: new Map(),
    packets: 0,
    hashes: [],
    memory: null,
  };
  let early: number | null = null;
  for (const plan of plans) {
    const result = await run(plan, { told });
    batch.runs++;
    batch.packets += result.packets;
    if (told) batch.hashes.push(result.hash);
    for (const [what, times] of result.counts) {
      batch.counts.set(what, (batch.counts.get(what) ?? 0) + times);
    }
    const fell = new Set(result.breaches.map(({ promise }) => promise));
    for (const promise of fell) {
      batch.fell.set(promise, (batch.fell.get(promise) ?? 0) + 1);
    }
    const failed = unknown(profile, result.breaches);
    if (failed.length > 0) {
      batch.failures.push({ plan, breaches: failed });
      if (batch.failures.length >= maxFailures) break;
    }
    if (batch.runs === Math.ceil(runs / 3)) early = megabytes();
  }
  const late = megabytes();
  if (early !== null && late !== null) batch.memory = { early, late };
  return batch;
}

/** What is in use, garbage apart; null where it cannot be told. */
function megabytes(): number | null {
  const { gc } = globalThis as { gc?: () => void };
  if (!gc) return null;
  gc();
  return Deno.memoryUsage().heapUsed / 1e6;
}

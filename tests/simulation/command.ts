// deno-lint-ignore-file no-console
/**
 * The command line of the simulator, once virtual time is in place.
 *
 * @module
 */
import process from "node:process";
import { type Batch, type Failure, planOf, runBatch } from "./batch.ts";
import { realNow } from "./clock.ts";
import { KNOWN_FAILURES } from "./known_failures.ts";
import { findMutants } from "./mutants.ts";
import type { Breach, PromiseName } from "./oracle.ts";
import type { Plan } from "./plan.ts";
import { PROFILE_NAMES, type ProfileName, PROFILES } from "./profiles.ts";
import { shorten } from "./shorten.ts";
import { tell } from "./story.ts";
import { run } from "./world.ts";

/** Runs under each profile, if nobody says how many. */
const RUNS = 200;

/** What may be left in memory after a batch, beyond what was after a third. */
const MAX_GROWTH_MB = 8;

/** What is asked for. */
export interface SimulateOptions {
  seed: number;
  runs?: string;
  profile?: string[];
  plan?: string[];
  told: boolean;
  hash: boolean;
  mutants: boolean;
  mutant?: string[] | undefined;
  brief: boolean;
  most: string;
}

/** @returns the exit code */
export async function simulate(options: SimulateOptions): Promise<number> {
  const { mutant = [], mutants } = options;
  if (mutants || mutant.length > 0) {
    return await findMutants(options.seed, mutant) ? 0 : 1;
  }
  if (options.plan !== undefined) {
    let code = 0;
    for (const file of options.plan) {
      const plan: Plan = JSON.parse(await Deno.readTextFile(file));
      if (await one(plan, options) === 0) continue;
      console.log(`${file} fails`);
      code = 1;
    }
    return code;
  }
  const profiles = (options.profile ?? PROFILE_NAMES) as ProfileName[];
  for (const name of profiles) {
    if (name in PROFILES) continue;
    console.error(
      `There is no profile "${name}"; there are ${PROFILE_NAMES.join(", ")}`,
    );
    return 2;
  }
  if (options.told && profiles.length === 1) {
    return await one(planOf(options.seed, profiles[0]!), options);
  }
  const runs = Number(options.runs ?? RUNS);
  let code = 0;
  for (const profile of profiles) {
    if (!await batch(profile, { ...options, count: runs })) code = 1;
  }
  return code;
}

/** One run, and its story. */
async function one(
  plan: Plan,
  options: { told: boolean; hash: boolean },
): Promise<number> {
  const { breaches, hash, story } = await run(plan, { told: true });
  if (options.hash) console.log(hash);
  if (options.told || breaches.length > 0) {
    console.log(tell(story, { plan, breaches }));
  }
  report(breaches);
  return breaches.every(({ promise }) => isKnown(plan.profile, promise))
    ? 0
    : 1;
}

function report(breaches: readonly Breach[]): void {
  for (const { promise, task, text } of breaches) {
    console.log(`BROKEN "${promise}"${task ? ` of ${task}` : ""}: ${text}`);
  }
}

function isKnown(profile: ProfileName, promise: PromiseName): boolean {
  return promise in (KNOWN_FAILURES[profile] ?? {});
}

/** @returns whether only what is known has fallen */
async function batch(
  profile: ProfileName,
  { seed, count, hash, most, brief }: SimulateOptions & { count: number },
): Promise<boolean> {
  const since = realNow();
  const before = process.cpuUsage();
  const plans = function* () {
    for (let i = 0; i < count; i++) yield planOf(seed + i, profile);
  };
  const result = await runBatch(plans(), {
    profile,
    runs: count,
    told: hash,
    maxFailures: Number(most),
  });
  const seconds = (realNow() - since) / 1000;
  const { user, system } = process.cpuUsage(before);
  const cpu = (user + system) / 1e6;
  console.log(
    `${profile}: ${result.runs} runs from seed ${seed}, ${
      seconds.toFixed(0)
    } s, ${(60 * result.runs / cpu).toFixed(0)} a minute of one core, ${
      (result.packets / result.runs).toFixed(0)
    } packets each`,
  );
  console.log(
    `  ${
      [...result.counts].sort().map(([what, times]) => `${what} ${times}`)
        .join(", ")
    }`,
  );
  if (hash) { for (const one of result.hashes) console.log(`  ${one}`); }
  fallen(result);
  for (const { plan, breaches } of result.failures) {
    console.log(`\nseed ${plan.seed} under ${profile} fails:`);
    report(breaches);
  }
  const [first] = result.failures;
  if (first && !brief) await explain(first);
  return result.failures.length === 0 && !grows(result);
}

/** Whether what the runs leave in memory becomes more and more. */
function grows({ memory }: Batch): boolean {
  return memory !== null && memory.late - memory.early > MAX_GROWTH_MB;
}

/** Says what fell, and what is listed and did not. */
function fallen(batch: Batch): void {
  const { profile, fell, memory, runs } = batch;
  const known = KNOWN_FAILURES[profile] ?? {};
  for (const [promise, times] of fell) {
    const why = known[promise];
    console.log(
      `  "${promise}" fell in ${times} of ${runs} runs${
        why ? `, as is known: ${why}` : ""
      }`,
    );
  }
  for (const promise of Object.keys(known) as PromiseName[]) {
    if (fell.has(promise)) continue;
    console.log(
      `  "${promise}" is listed in known_failures.ts, and did not fall in ${runs} runs`,
    );
  }
  if (memory) {
    console.log(
      `  memory: ${memory.early.toFixed(1)} MB after a third, ${
        memory.late.toFixed(1)
      } MB at the end${grows(batch) ? ': "memory" falls' : ""}`,
    );
  }
}

/** Makes a failure shorter, and tells it. */
async function explain({ breaches, plan }: Failure): Promise<void> {
  const [{ promise }] = breaches as [Breach];
  const shorter = await shorten(plan, async (candidate) => {
    const result = await run(candidate);
    return result.breaches.some((one) => one.promise === promise);
  });
  const { breaches: again, story } = await run(shorter.plan, { told: true });
  console.log(
    `\nshortened in ${shorter.attempts} attempts to ${shorter.plan.workers.length} workers, ${shorter.plan.tasks.length} tasks, ${shorter.plan.happenings.length} happenings:`,
  );
  for (const happening of shorter.plan.happenings) {
    console.log(`  ${JSON.stringify(happening)}`);
  }
  console.log(tell(story, { plan: shorter.plan, breaches: again }));
  report(again);
  const file = await Deno.makeTempFile({
    prefix: `plan-${plan.seed}-`,
    suffix: ".json",
  });
  await Deno.writeTextFile(file, JSON.stringify(shorter.plan, null, 2) + "\n");
  console.log(`
To repeat it:
  deno task simulate --seed ${plan.seed} --profile ${plan.profile} --runs 1
  deno task simulate --plan ${file}
A plan in tests/simulation/plans/ is a regression test.`);
}

// deno-lint-ignore-file no-console
/**
 * Whether the simulator finds what it is there for: faults that are put into a
 * copy of the source, one at a time, and looked for.
 *
 * @module
 */
import { ROOT } from "../../dev/programs.ts";
import { realNow } from "./clock.ts";
import type { ProfileName } from "./profiles.ts";

/** So many runs may pass before a fault is found. */
const MAX_RUNS = 20_000;

/** Where to look for each fault; the patches are in `mutants/`. */
export const MUTANTS: Readonly<Record<string, ProfileName>> = {
  a_stranger_takes_what_was_offered: "crossing",
  an_answer_too_early: "mosquitto",
  a_record_removed_too_early: "mosquitto",
  an_echo_that_is_not_waited_for: "passes_on_later",
  a_session_thought_kept: "loses_sessions",
  an_adoption_that_forgets_one: "mosquitto",
  a_run_that_is_not_written_down_first: "power_cut",
  a_lock_kept_by_who_is_not_heard: "cut_off",
  a_bid_taken_for_a_lock: "mosquitto",
  a_task_for_one_worker_that_is_handed_over: "mosquitto",
};

/**
 * Looks for faults, for all of them if none is named.
 *
 * @returns whether they were found
 */
export async function findMutants(
  seed: number,
  names: readonly string[],
): Promise<boolean> {
  let all = true;
  for (const name of names.length > 0 ? names : Object.keys(MUTANTS)) {
    all = await find(name, seed) && all;
  }
  return all;
}

/** The file in which a fault is. */
export function patchOf(name: string): string {
  return `${ROOT}tests/simulation/mutants/${name}.patch`;
}

async function find(name: string, firstSeed: number): Promise<boolean> {
  const profile = MUTANTS[name];
  if (profile === undefined) throw new Error(`There is no fault "${name}"`);
  const since = realNow();
  const copy = await Deno.makeTempDir({ prefix: "mutant-" });
  try {
    for (const part of ["src", "dev", "tests", "deno.json", "deno.lock"]) {
      await output("cp", ["-r", `${ROOT}${part}`, copy]);
    }
    await output("git", ["apply", patchOf(name)], { cwd: copy });
    let runs = 0;
    let found: string | undefined;
    while (found === undefined && runs < MAX_RUNS) {
      const { code, text } = await simulate(copy, {
        profile,
        seed: firstSeed + runs,
        runs: MAX_RUNS - runs,
      });
      const done = /: (\d+) runs from/.exec(text)?.[1];
      if (done === undefined) throw new Error(`${name} does not run:\n${text}`);
      runs += Number(done);
      if (code === 0) break;
      const seed = Number(/^seed (\d+)/m.exec(text)![1]);
      // It is the fault that it is found by.
      if ((await simulate(ROOT, { profile, seed, runs: 1 })).code === 0) {
        found = `with seed ${seed}: ${/^BROKEN .*$/m.exec(text)?.[0]}`;
      }
    }
    const seconds = ((realNow() - since) / 1000).toFixed(0);
    console.log(
      `${name}: ${
        found ? "found after" : "NOT FOUND in"
      } ${runs} runs under ${profile}, ${seconds} s${
        found ? `, ${found}` : ""
      }`,
    );
    return found !== undefined;
  } finally {
    await Deno.remove(copy, { recursive: true });
  }
}

/** The simulator in a directory. */
function simulate(
  directory: string,
  { profile, runs, seed }: {
    profile: ProfileName;
    runs: number;
    seed: number;
  },
): Promise<{ code: number; text: string }> {
  return output(Deno.execPath(), [
    "run",
    "-A",
    `${directory}/tests/simulation/main.ts`,
    "--brief",
    `--profile=${profile}`,
    `--seed=${seed}`,
    `--runs=${runs}`,
  ], { mayFail: true });
}

async function output(
  program: string,
  args: string[],
  { cwd, mayFail = false }: { cwd?: string; mayFail?: boolean } = {},
): Promise<{ code: number; text: string }> {
  const { code, stdout, stderr } = await new Deno.Command(program, {
    args,
    ...(cwd !== undefined && { cwd }),
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).output();
  const decoder = new TextDecoder();
  const text = decoder.decode(stdout) + decoder.decode(stderr);
  if (code !== 0 && !mayFail) {
    throw new Error(`${program} ${args.join(" ")}: ${text}`);
  }
  return { code, text };
}

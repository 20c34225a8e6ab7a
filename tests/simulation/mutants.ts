// deno-lint-ignore-file no-console
/**
 * Whether the simulator finds what it is there for: faults that are put into a
 * copy of the source, one at a time, and looked for.
 *
 * @module
 */
import { ROOT } from "../../dev/programs.ts";
import type { ProfileName } from "./profiles.ts";

/** So many runs may pass before a fault is found. */
const MAX_RUNS = 20_000;

/** Where to look for each fault; the patches are in `mutants/`. */
const MUTANTS: Record<string, ProfileName> = {
  a_stranger_takes_what_was_offered: "crossing",
  an_answer_too_early: "mosquitto",
  a_record_removed_too_early: "mosquitto",
  an_echo_that_is_not_waited_for: "crossing",
  a_session_thought_kept: "loses_sessions",
  an_adoption_that_forgets_one: "mosquitto",
  a_run_that_is_not_written_down_first: "power_cut",
  a_lock_kept_by_who_is_not_heard: "cut_off",
  a_bid_taken_for_a_lock: "mosquitto",
  a_task_for_one_worker_that_is_handed_over: "mosquitto",
};

/**
 * Looks for every fault.
 *
 * @returns whether all were found
 */
export async function findMutants(seed: number): Promise<boolean> {
  let all = true;
  for (const [name, profile] of Object.entries(MUTANTS)) {
    all = await find(name, { profile, seed }) && all;
  }
  return all;
}

async function find(
  name: string,
  { profile, seed }: { profile: ProfileName; seed: number },
): Promise<boolean> {
  const copy = await Deno.makeTempDir({ prefix: "mutant-" });
  try {
    for (const part of ["src", "dev", "tests", "deno.json", "deno.lock"]) {
      await output("cp", ["-r", `${ROOT}${part}`, copy]);
    }
    const patch = `${ROOT}tests/simulation/mutants/${name}.patch`;
    await output("git", ["apply", patch], { cwd: copy });
    const { code, text } = await simulate(copy, {
      profile,
      seed,
      runs: MAX_RUNS,
    });
    const runs = /: (\d+) runs from/.exec(text)?.[1];
    if (runs === undefined) throw new Error(`${name} does not run:\n${text}`);
    const isFound = code !== 0 &&
      // It is the fault that it is found by.
      (await simulate(ROOT, {
          profile,
          seed: Number(/^seed (\d+)/m.exec(text)![1]),
          runs: 1,
        })).code === 0;
    console.log(
      `${name}: ${
        isFound ? "found after" : "NOT FOUND in"
      } ${runs} runs under ${profile}: ${
        /^BROKEN .*$/m.exec(text)?.[0] ?? "every promise was kept"
      }`,
    );
    return isFound;
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

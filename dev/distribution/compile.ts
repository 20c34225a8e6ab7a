/**
 * Compiling the program, with the permissions of `deno task start` in it.
 *
 * @module
 */
import { COMPILE_OPTIONS } from "../../src/cli/permissions.ts";
import { ROOT, startArguments } from "../programs.ts";
import type { Target } from "./release.ts";
import { run } from "./run.ts";

/** What `deno run` is told and a compiled program has no use for. */
const NOT_COMPILED = ["run", "--quiet"];

/** The arguments of `deno` that compile it. */
export function compileArguments(
  { triple }: Target,
  { output }: { output: string },
): string[] {
  const start = startArguments().filter((word) => !NOT_COMPILED.includes(word));
  return [
    "compile",
    ...COMPILE_OPTIONS,
    ...start.slice(0, -1),
    "--target",
    triple,
    "--output",
    output,
    ...start.slice(-1),
  ];
}

/**
 * Compiles it. Deno downloads the runtime for the target, unless `DENORT_BIN`
 * names one.
 *
 * @returns what `deno compile` said: among it the list of what is embedded
 */
export async function compile(
  target: Target,
  { output }: { output: string },
): Promise<string> {
  const args = compileArguments(target, { output });
  const { stderr } = await run([Deno.execPath(), ...args], {
    cwd: ROOT,
    env: { NO_COLOR: "1" },
  });
  return stderr;
}

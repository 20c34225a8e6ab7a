/**
 * Compiling the programs: the worker's with the permissions of `deno task start`
 * in it, the page's with those of `deno task web`, and that it is to serve.
 *
 * @module
 */
import { COMPILE_OPTIONS } from "../../src/cli/permissions.ts";
import { ROOT, startArguments, webArguments } from "../programs.ts";
import { NAME, type PROGRAM_NAMES, type Target } from "./release.ts";
import { run } from "./run.ts";

/** What `deno run` is told and a compiled program has no use for. */
const NOT_COMPILED = ["run", "--quiet"];

/** Which of the programs, and where it is put. */
interface CompileOptions {
  name: typeof PROGRAM_NAMES[number];
  output: string;
}

/** The arguments of `deno` that compile one. */
export function compileArguments(
  { triple }: Target,
  { name, output }: CompileOptions,
): string[] {
  const words = (name === NAME ? startArguments() : webArguments())
    .filter((word) => !NOT_COMPILED.includes(word));
  const main = words.indexOf(`${ROOT}src/main.ts`);
  return [
    "compile",
    ...COMPILE_OPTIONS,
    ...words.slice(0, main),
    "--target",
    triple,
    "--output",
    output,
    // What stands behind it, the program is given each time that it is started.
    ...words.slice(main),
  ];
}

/**
 * Compiles one. Deno downloads the runtime for the target, unless `DENORT_BIN`
 * names one.
 *
 * @returns what `deno compile` said: among it the list of what is embedded
 */
export async function compile(
  target: Target,
  options: CompileOptions,
): Promise<string> {
  const args = compileArguments(target, options);
  const { stderr } = await run([Deno.execPath(), ...args], {
    cwd: ROOT,
    env: { NO_COLOR: "1" },
  });
  return stderr;
}

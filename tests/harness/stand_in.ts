/**
 * Stand-ins for the compiled programs.
 *
 * `deno compile` downloads the runtime that it puts under a program, which
 * cannot be had everywhere. So that all else of a distribution can be tried, a
 * script takes each program's place: it runs the same modules, from a copy
 * without their Python files, under the permissions that are compiled in, by a
 * copy of Deno that is told that it is a compiled program at the script's path.
 * What it says nothing about is the compiled program itself.
 *
 * @module
 */
import { dirname } from "node:path";
import { COMPILE_OPTIONS } from "../../src/cli/permissions.ts";
import { compileArguments } from "../../dev/distribution/compile.ts";
import { PROGRAM_NAMES, TARGETS } from "../../dev/distribution/release.ts";
import { run } from "../../dev/distribution/run.ts";
import { ROOT } from "../../dev/programs.ts";

/** Set: a compiled program to try, with the page's beside it, not the stand-ins. */
const PROGRAM = "ANSIBLE_WORKER_PROGRAM";

/** What the copy of Deno runs before the program. */
const PRETEND = `
Object.defineProperty(Deno, "build", {
  value: { ...Deno.build, standalone: true },
});
const path = Deno.env.get("ANSIBLE_WORKER_STAND_IN");
Object.defineProperty(Deno, "execPath", { value: () => path });
`;

/** The programs of a distribution: compiled ones, or their stand-ins. */
export class StandIn implements AsyncDisposable {
  /** The directory of the files to put where the compiled programs belong. */
  readonly programs: string;
  /** Says what it is, for the name of a test. */
  static readonly what: string = Deno.env.has(PROGRAM)
    ? "the compiled program"
    : "a stand-in for the compiled program";
  readonly #directory: string | null;

  private constructor(programs: string, directory: string | null) {
    this.programs = programs;
    this.#directory = directory;
  }

  /**
   * Makes them.
   *
   * @param options.below where its directory is made; a temporary one if left out
   * @param options.seenAt where that is when the program runs
   */
  static async create(
    { below, seenAt = below }: { below?: string; seenAt?: string } = {},
  ): Promise<StandIn> {
    const given = Deno.env.get(PROGRAM);
    if (given !== undefined) return new StandIn(dirname(given), null);
    const directory = await Deno.makeTempDir({
      prefix: "stand-in-",
      ...below !== undefined && { dir: below },
    });
    // For other users, too.
    await Deno.chmod(directory, 0o755);
    const standIn = new StandIn(directory, directory);
    await run(["cp", "-r", `${ROOT}src`, `${directory}/src`]);
    await Deno.remove(`${directory}/src/ansible/python`, { recursive: true });
    for (const name of ["deno.json", "deno.lock"]) {
      await Deno.copyFile(`${ROOT}${name}`, `${directory}/${name}`);
    }
    await run([
      Deno.execPath(),
      "install",
      "--quiet",
      "--node-modules-dir=auto",
    ], { cwd: directory });
    await Deno.copyFile(Deno.execPath(), `${directory}/deno`);
    await Deno.writeTextFile(`${directory}/pretend.js`, PRETEND);
    const seen = below === undefined
      ? directory
      : directory.replace(below, seenAt!);
    for (const name of PROGRAM_NAMES) {
      const program = `${directory}/${name}`;
      await Deno.writeTextFile(program, script(name, seen));
      await Deno.chmod(program, 0o755);
    }
    return standIn;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#directory === null) return;
    await Deno.remove(this.#directory, { recursive: true });
  }
}

function script(name: typeof PROGRAM_NAMES[number], directory: string) {
  const args = compileArguments(TARGETS[0]!, { name, output: "" });
  const main = args.indexOf(`${ROOT}src/main.ts`);
  const flags = args.slice(0, main)
    .filter((word) =>
      word.startsWith("--no-") || /^--(ignore|allow)/.test(word)
    )
    .filter((word) => !COMPILE_OPTIONS.includes(word));
  return `#!/bin/sh
# Not the compiled program: a stand-in for it, made by a test.
here=$(readlink -f "$0")
ANSIBLE_WORKER_STAND_IN=$here DENO_DIR=/nonexistent exec ${directory}/deno run \\
  --quiet --cached-only --node-modules-dir=manual \\
  --preload ${directory}/pretend.js \\
  '${flags.join("' '")}' \\
  ${[`${directory}/src/main.ts`, ...args.slice(main + 1)].join(" ")} "$@"
`;
}

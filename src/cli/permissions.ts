/**
 * `ansible-worker permissions`: the narrowest permissions for a configuration,
 * in the form in which they are wanted.
 *
 * @module
 */
import { join, resolve } from "node:path/posix";
import {
  type Config,
  ConfigError,
  findProgram,
  load,
  type Need,
  needsOf,
  programDirectory,
} from "../config/mod.ts";
import { print } from "./output.ts";
import { systemdUnit } from "./systemd.ts";

/** The forms in which permissions can be had. */
export const FORMATS = ["flags", "systemd", "deno", "compile"] as const;

/** Prints the permissions; returns the exit code. */
export async function permissions(
  file: string,
  { format }: { format: typeof FORMATS[number] },
): Promise<number> {
  let config: Config;
  let needs: Need[];
  let variables: string[];
  try {
    const loaded = await load(file);
    ({ config, variables } = loaded);
    const program = await findProgram(Deno.env.get("PATH") ?? "");
    needs = await needsOf(loaded, { file, program });
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    print(Deno.stderr, `${error.message}\n`);
    return 1;
  }
  const absolute = resolve(file);
  const main = join(programDirectory(), "src/main.ts");
  // Quiet: whoever reads the log as JSON wants no lines of Deno's in it.
  const run = [
    Deno.execPath(),
    "run",
    "--quiet",
    ...flagsOf(needs),
    main,
    "-c",
    absolute,
  ];
  switch (format) {
    case "flags":
      print(Deno.stdout, run.map(shellWord).join(" ") + "\n");
      break;
    case "systemd":
      print(
        Deno.stdout,
        systemdUnit({ command: run, config, variables, file: absolute }),
      );
      break;
    case "deno":
      print(Deno.stdout, permissionSet(needs));
      break;
    case "compile":
      print(
        Deno.stdout,
        [
          Deno.execPath(),
          "compile",
          ...flagsOf(needs),
          "--output",
          "ansible-worker",
          main,
        ].map(shellWord).join(" ") + "\n",
      );
  }
  return 0;
}

const KINDS = ["env", "net", "read", "run"] as const;

function valuesOf(needs: readonly Need[], kind: Need["kind"]): string[] {
  return needs.filter((need) => need.kind === kind).map(({ value }) => value);
}

/** The flags of `deno run` and `deno compile`. */
function flagsOf(needs: readonly Need[]): string[] {
  return [
    "--no-prompt",
    "--ignore-env",
    ...KINDS.map((kind) => {
      // A comma in a value is written twice.
      const values = valuesOf(needs, kind).map((v) => v.replaceAll(",", ",,"));
      return `--allow-${kind}=${values.join(",")}`;
    }),
  ];
}

/** A permission set for deno.json, for `deno run -P=ansible-worker`. */
function permissionSet(needs: readonly Need[]): string {
  const { env, ...others } = Object.fromEntries(
    KINDS.map((kind) => [kind, valuesOf(needs, kind)]),
  );
  const set = { env: { allow: env, ignore: true }, ...others };
  return JSON.stringify({ permissions: { "ansible-worker": set } }, null, 2) +
    "\n";
}

/** A word of a command line, in quotes where a shell would need them. */
function shellWord(word: string): string {
  return /^[\w@%+=:,./[\]-]+$/.test(word) && !/[[\]]/.test(word)
    ? word
    : `'${word.replaceAll("'", `'\\''`)}'`;
}

/**
 * `ansible-worker permissions`: the narrowest permissions for a configuration,
 * in the form in which they are wanted.
 *
 * @module
 */
import { dirname, join, resolve } from "node:path/posix";
import {
  ConfigError,
  findProgram,
  homeOf,
  load,
  loadWeb,
  type Need,
  needsOf,
  programDirectory,
} from "../config/mod.ts";
import type { FORMATS, PROGRAMS } from "./choices.ts";
import { print } from "./output.ts";
import {
  becomeDropIn,
  SERVICE_HOME,
  SERVICE_USER,
  systemdUnit,
  webUnit,
} from "./systemd.ts";

/** What they are called. */
const NAMES = { worker: "ansible-worker", web: "ansible-worker-web" };

/**
 * How it is compiled, whatever the permissions: without packages that only the
 * tests use, and without a cache of compiled code, which the program would look
 * for in the directory of temporary files, where others may write too.
 */
export const COMPILE_OPTIONS: readonly string[] = [
  "--exclude-unused-npm",
  "--no-code-cache",
];

/**
 * A young generation of 1 MiB, where V8 would let it grow to 16: a worker that
 * has run tasks is smaller by a quarter, and no slower.
 */
const V8_FLAGS = "--v8-flags=--max-semi-space-size=1";

/**
 * Prints the permissions; returns the exit code.
 *
 * @param options.become print what the unit lacks for runs that become root
 */
export async function permissions(
  file: string,
  { format, become, program: asked }: {
    format: typeof FORMATS[number];
    become: boolean;
    program: typeof PROGRAMS[number];
  },
): Promise<number> {
  if (become) {
    if (format !== "systemd" || asked !== "worker") {
      print(Deno.stderr, "--become goes with --format systemd of a worker\n");
      return 2;
    }
    print(Deno.stdout, becomeDropIn());
    return 0;
  }
  let needs: Need[];
  let unit: (options: UnitParts) => string;
  try {
    ({ needs, unit } = await (asked === "web" ? ofWeb : ofWorker)(file));
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    print(Deno.stderr, `${error.message}\n`);
    return 1;
  }
  const absolute = resolve(file);
  const toServe = asked === "web" ? ["web"] : [];
  const configured = ["-c", absolute];
  const compiled = Deno.build.standalone;
  // A compiled program has neither: these are for a copy of the sources.
  const deno = compiled ? "deno" : Deno.execPath();
  const main = compiled
    ? "src/main.ts"
    : join(programDirectory(), "src/main.ts");
  // Quiet: whoever reads the log as JSON wants no lines of Deno's in it.
  const run = [
    deno,
    "run",
    "--quiet",
    ...flagsOf(needs),
    main,
    ...toServe,
    ...configured,
  ];
  switch (format) {
    case "flags":
      print(Deno.stdout, run.map(shellWord).join(" ") + "\n");
      break;
    case "systemd":
      for (const path of hiddenByUnit([deno, main, absolute])) {
        print(
          Deno.stderr,
          `The unit hides "${path}" from the worker: move it, to /opt or /etc for instance, and print the unit from there.\n`,
        );
      }
      if (asked === "worker") await sayIfHomeIsElsewhere();
      print(
        Deno.stdout,
        unit({
          // The permissions of a compiled program are in it, and the page's
          // that it is to serve: the two lie beside each other.
          command: compiled ? [programOf(asked), ...configured] : run,
          denoDirectory: compiled ? null : "/opt/ansible-worker/.deno",
          origin:
            `Made by "ansible-worker permissions --format systemd" for\n# ${absolute}`,
          file: absolute,
        }),
      );
      break;
    case "deno":
      print(Deno.stdout, permissionSet(needs, NAMES[asked]));
      break;
    case "compile":
      print(
        Deno.stdout,
        compileLine([deno, "compile", ...COMPILE_OPTIONS, ...flagsOf(needs)], {
          main: [main, ...toServe],
          output: NAMES[asked],
        }),
      );
  }
  return 0;
}

/** Where the compiled program is that has the permissions of one of them. */
function programOf(asked: typeof PROGRAMS[number]): string {
  const own = Deno.execPath();
  return asked === "worker" ? own : join(dirname(own), NAMES[asked]);
}

/** What a unit is made from beside the configuration. */
type UnitParts = Pick<
  Parameters<typeof systemdUnit>[0],
  "command" | "denoDirectory" | "origin" | "file"
>;

/** What one of the programs needs, and its unit. */
interface Asked {
  needs: Need[];
  unit(options: UnitParts): string;
}

async function ofWorker(file: string): Promise<Asked> {
  const loaded = await load(file);
  const { config, variables } = loaded;
  const program = await findProgram(Deno.env.get("PATH") ?? "");
  return {
    needs: await needsOf(loaded, { file, program }),
    unit: (options) =>
      systemdUnit({
        ...options,
        group: config.worker.group_name,
        writes: [
          ...(config.content ? [config.content.directory] : []),
          ...(config.worker.journal ? [dirname(config.worker.journal)] : []),
        ],
        limits: config.worker,
        variables,
      }),
  };
}

async function ofWeb(file: string): Promise<Asked> {
  const { needs, group, namesVariables } = await loadWeb(file);
  return {
    needs,
    unit: (options) =>
      webUnit({ ...options, group, variables: namesVariables }),
  };
}

/** Paths in places that the unit file closes (ProtectHome, PrivateTmp). */
function hiddenByUnit(paths: readonly string[]): string[] {
  return paths.filter((path) =>
    /^\/(home|root|run\/user|tmp|var\/tmp)\//.test(path)
  );
}

/** The unit lets the service write to one home; ssh and Ansible look in passwd's. */
async function sayIfHomeIsElsewhere(): Promise<void> {
  const home = await homeOf(SERVICE_USER);
  if (home === null || home === SERVICE_HOME) return;
  print(
    Deno.stderr,
    `The home of the user ${SERVICE_USER} is "${home}", and the unit has it in ${SERVICE_HOME}, where it may write: usermod --home ${SERVICE_HOME} --move-home ${SERVICE_USER}\n`,
  );
}

/** Those that a worker needs are all said, also where nothing is allowed. */
function kindsOf(needs: readonly Need[]): readonly Need["kind"][] {
  return needs.some(({ kind }) => kind === "write")
    ? ["env", "net", "read", "write"]
    : ["env", "net", "read", "run"];
}

function valuesOf(needs: readonly Need[], kind: Need["kind"]): string[] {
  return needs.filter((need) => need.kind === kind).map(({ value }) => value);
}

/** The flags of `deno run` and `deno compile`. */
function flagsOf(needs: readonly Need[]): string[] {
  return [
    V8_FLAGS,
    "--no-prompt",
    "--ignore-env",
    ...kindsOf(needs).map((kind) => {
      // A comma in a value is written twice.
      const values = valuesOf(needs, kind).map((v) => v.replaceAll(",", ",,"));
      return `--allow-${kind}=${values.join(",")}`;
    }),
  ];
}

/** The lines that make the program, and put its Python files beside it. */
function compileLine(
  command: readonly string[],
  { main, output }: { main: [string, ...string[]]; output: string },
): string {
  const python = join(dirname(main[0]), "ansible/python");
  return [
    [...command, "--output", output, ...main],
    ...(output === NAMES.worker ? [["cp", "-R", python, "python"]] : []),
  ].map((line) => line.map(shellWord).join(" ") + "\n").join("");
}

/** A permission set for deno.json, for `deno run -P=ansible-worker`. */
function permissionSet(needs: readonly Need[], name: string): string {
  const { env, ...others } = Object.fromEntries(
    kindsOf(needs).map((kind) => [kind, valuesOf(needs, kind)]),
  );
  const set = { env: { allow: env, ignore: true }, ...others };
  return JSON.stringify({ permissions: { [name]: set } }, null, 2) +
    "\n";
}

/** A word of a command line, in quotes where a shell would need them. */
function shellWord(word: string): string {
  return /^[\w@%+=:,./[\]-]+$/.test(word) && !/[[\]]/.test(word)
    ? word
    : `'${word.replaceAll("'", `'\\''`)}'`;
}

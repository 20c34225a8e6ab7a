/**
 * Which files hold tests, in which order they are best run, and which of them
 * need nothing but Deno.
 *
 * @module
 */
import { ROOT } from "./programs.ts";

/**
 * What takes half a minute and more, longest first, then folders of which much
 * does: they come first, so that at the end none of them runs alone.
 * `deno task test` says how long each file took.
 */
export const LONG: readonly string[] = [
  "tests/simulation/simulation_test.ts",
  "tests/simulation/profiles_test.ts",
  "tests/simulation/group_cost_test.ts",
  "tests/faults/content_test.ts",
  "tests/integration/content_test.ts",
  "tests/integration/counters_test.ts",
  "tests/integration/doctor_test.ts",
  "tests/faults/steps_test.ts",
  "tests/faults/connections_test.ts",
  "tests/faults/adoption_test.ts",
  "tests/integration/client_test.ts",
  "tests/integration/submit_test.ts",
  "tests/faults/journal_test.ts",
  "tests/integration/templates_test.ts",
  "tests/integration/broker_test.ts",
  "tests/ansible/own_plugins_test.ts",
  "tests/integration/attacks_test.ts",
  "tests/mqtt/connection_test.ts",
  "tests/web/browser/page_test.ts",
  "tests/integration/ending_test.ts",
  "tests/integration/signed_test.ts",
  "tests/integration/unsuitable_test.ts",
  "tests/faults/",
  "tests/integration/",
  "tests/ansible/",
  "tests/dev/",
];

/** Starts another program: what reaches it is not quick. */
const STARTS_PROGRAMS = /\bnew Deno\.Command\(/;

/** Needs no program, but its time. */
const TAKES_ITS_TIME = "tests/simulation/";

/**
 * The files of tests among files and folders, those that take long first.
 *
 * @param targets paths below the project's directory
 * @throws {Error} there is none at one of them
 */
export async function testFiles(
  targets: readonly string[],
): Promise<string[]> {
  const found = new Set<string>();
  for (const target of targets) {
    const files = await below(target.replace(/\/+$/, ""));
    if (files.length === 0) throw new Error(`no tests at ${target}`);
    for (const file of files) found.add(file);
  }
  const place = (file: string) => {
    const at = LONG.findIndex((long) => file.startsWith(long));
    return at === -1 ? LONG.length : at;
  };
  return [...found].sort((a, b) => place(a) - place(b) || (a < b ? -1 : 1));
}

async function below(target: string): Promise<string[]> {
  const { isFile } = await Deno.stat(`${ROOT}${target}`);
  if (isFile) return [target];
  const found: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(`${ROOT}${target}`)) {
    const path = `${target}/${name}`;
    if (isDirectory) found.push(...await below(path));
    else if (name.endsWith("_test.ts")) found.push(path);
  }
  return found;
}

/** A part of what `deno info --json` prints. */
interface Graph {
  modules: {
    specifier: string;
    local?: string;
    dependencies?: { code?: { specifier?: string } }[];
  }[];
}

/** Those of the files that neither import nor are what starts a program. */
export async function quickOnes(files: readonly string[]): Promise<string[]> {
  const imports = await importsOf(files);
  const slow = new Map<string, boolean>();
  const isSlow = (module: string): boolean => {
    const known = slow.get(module);
    if (known !== undefined) return known;
    // Of a ring of imports, the others decide.
    slow.set(module, false);
    const result = STARTS_PROGRAMS.test(textOf(module)) ||
      (imports.get(module) ?? []).some(isSlow);
    slow.set(module, result);
    return result;
  };
  return files.filter((file) =>
    !file.startsWith(TAKES_ITS_TIME) && !isSlow(urlOf(file))
  );
}

const PROJECT = urlOf("");

function urlOf(file: string): string {
  return new URL(file, `file://${ROOT}`).href;
}

function textOf(module: string): string {
  return Deno.readTextFileSync(new URL(module));
}

/** What each module of the project imports of the project, types left out. */
async function importsOf(
  files: readonly string[],
): Promise<Map<string, string[]>> {
  const all = await Deno.makeTempFile({ suffix: ".ts" });
  try {
    await Deno.writeTextFile(
      all,
      files.map((file) => `import "${urlOf(file)}";\n`).join(""),
    );
    const { success, stdout, stderr } = await new Deno.Command(
      Deno.execPath(),
      {
        args: ["info", "--json", `--config=${ROOT}deno.json`, all],
        cwd: ROOT,
        stdin: "null",
      },
    ).output();
    const text = new TextDecoder();
    if (!success) throw new Error(text.decode(stderr));
    const { modules } = JSON.parse(text.decode(stdout)) as Graph;
    return new Map(modules.map(({ specifier, dependencies = [] }) => [
      specifier,
      dependencies.map(({ code }) => code?.specifier ?? "")
        .filter((one) => one.startsWith(PROJECT)),
    ]));
  } finally {
    await Deno.remove(all);
  }
}

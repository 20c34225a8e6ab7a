// deno-lint-ignore-file no-console
/**
 * Virtual environments with one release of ansible-core each, kept outside of
 * the tree and used again.
 *
 * @module
 */
import type { Release } from "./releases.ts";

/** A release that can be run. */
export interface Environment {
  /** Where its `ansible-playbook` is. */
  bin: string;
  /** The whole version of ansible-core, such as `2.19.14`. */
  version: string;
  /** The whole version of Python. */
  python: string;
}

/** Where the environments are; removing it makes them new. */
export function cacheDirectory(): string {
  const cache = Deno.env.get("XDG_CACHE_HOME") ||
    `${Deno.env.get("HOME") ?? "/tmp"}/.cache`;
  return `${cache}/ansible-worker`;
}

/**
 * The environment of a release, with the newest Python of this machine that it
 * is for; it is made if it is not there.
 *
 * @returns null if there is no such Python
 * @throws if nothing could be installed; the message says why
 */
export async function environmentOf(
  release: Release,
): Promise<Environment | null> {
  let problem: Error | null = null;
  for (const minor of release.pythons) {
    for (const python of await interpreters(minor)) {
      const directory =
        `${cacheDirectory()}/ansible-core-${release.name}-python3.${minor}`;
      try {
        if (!await isMade(directory)) await make(directory, python, release);
        return await described(directory);
      } catch (error) {
        // Distributions divide Python: another one may have all of it.
        problem = error as Error;
      }
    }
  }
  if (problem) throw problem;
  return null;
}

/** Interpreters of one Python release: in PATH, and those that pyenv keeps. */
async function interpreters(minor: number): Promise<string[]> {
  const found: string[] = [];
  const root = Deno.env.get("PYENV_ROOT") ||
    `${Deno.env.get("HOME") ?? ""}/.pyenv`;
  const directories = (Deno.env.get("PATH") ?? "").split(":").filter((one) =>
    // What stands there is there even if no version of it is chosen.
    one && !one.endsWith("/shims")
  );
  for (const directory of directories) {
    found.push(`${directory}/python3.${minor}`);
  }
  try {
    for await (const { name } of Deno.readDir(`${root}/versions`)) {
      if (name.startsWith(`3.${minor}.`)) {
        found.push(`${root}/versions/${name}/bin/python3`);
      }
    }
  } catch {
    // There is no pyenv.
  }
  const there = await Promise.all(
    found.map((file) => Deno.stat(file).then(() => true, () => false)),
  );
  return found.filter((_, i) => there[i]);
}

/** Written when an environment is complete. */
const MADE = "made-by-ansible-worker";

function isMade(directory: string): Promise<boolean> {
  return Deno.stat(`${directory}/${MADE}`).then(() => true, () => false);
}

async function make(
  directory: string,
  python: string,
  release: Release,
): Promise<void> {
  const requirement = `ansible-core~=${release.name}.0`;
  console.log(`Installing ${requirement} for ${python} into ${directory} …`);
  await Deno.remove(directory, { recursive: true }).catch(() => {});
  await Deno.mkdir(cacheDirectory(), { recursive: true });
  await output(python, ["-m", "venv", directory]);
  await output(`${directory}/bin/python`, [
    "-m",
    "pip",
    "install",
    "--quiet",
    "--disable-pip-version-check",
    requirement,
  ]);
  await Deno.writeTextFile(`${directory}/${MADE}`, `${requirement}\n`);
}

async function described(directory: string): Promise<Environment> {
  const text = await output(`${directory}/bin/python`, [
    "-c",
    "import ansible.release, platform; print(ansible.release.__version__, platform.python_version())",
  ]);
  const [version, python] = text.trim().split(" ");
  return { bin: `${directory}/bin`, version: version!, python: python! };
}

async function output(program: string, args: string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(program, {
    args,
    stdin: "null",
  }).output();
  const text = new TextDecoder();
  if (!success) {
    throw new Error(
      `${program} ${args.join(" ")} failed: ${
        (text.decode(stderr) + text.decode(stdout)).trim()
      }`,
    );
  }
  return text.decode(stdout);
}

/**
 * One release of ansible-core, with a Python that it runs on.
 *
 * @module
 */
import { pythonWith } from "../python.ts";
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
    for (const base of await interpreters(minor)) {
      try {
        return await described(
          await pythonWith(`ansible-core~=${release.name}.0`, { base }),
        );
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
export async function interpreters(minor: number): Promise<string[]> {
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

async function described(interpreter: string): Promise<Environment> {
  const { stdout } = await new Deno.Command(interpreter, {
    args: [
      "-c",
      "import ansible.release as r, platform; print(r.__version__, platform.python_version())",
    ],
    stdin: "null",
  }).output();
  const [version, python] = new TextDecoder().decode(stdout).trim().split(" ");
  return {
    bin: interpreter.replace(/\/[^/]*$/, ""),
    version: version!,
    python: python!,
  };
}

// deno-lint-ignore-file no-console
/**
 * Python packages from PyPI, each in a virtual environment of its own that is
 * kept for the next time.
 *
 * @module
 */
import { cacheDirectory } from "./cache.ts";

/**
 * Makes sure that a package is there; says so where it has to be installed.
 *
 * @param requirement such as `paho-mqtt==2.1.0`, or `ansible-core~=2.19.0` for
 * the newest 2.19
 * @param options.base the interpreter that the environment is made with; each
 * has environments of its own
 * @returns the Python that has it
 * @throws it cannot be installed
 */
export async function pythonWith(
  requirement: string,
  { base = "python3" }: { base?: string } = {},
): Promise<string> {
  // A shell would want a tilde quoted.
  const directory = cacheDirectory(
    requirement.replace("~=", "-") +
      (base === "python3" ? "" : base.replaceAll("/", "-")),
  );
  const python = `${directory}/bin/python`;
  const [name, release] = requirement.split(/[=~]=/) as [string, string];
  const there = requirement.includes("~=")
    ? `.startswith("${release.replace(/[^.]*$/, "")}")`
    : ` == "${release}"`;
  const check =
    `from importlib.metadata import version as v; assert v("${name}")${there}`;
  if (await runs(python, ["-c", check])) return python;
  console.log(`Installing ${requirement} into ${directory} …`);
  for (
    const [program, ...args] of [
      [base, "-m", "venv", "--clear", directory],
      [python, "-m", "pip", "install", "--quiet", requirement],
    ] as [string, ...string[]][]
  ) {
    const { success, stderr } = await new Deno.Command(program, { args })
      .output();
    if (!success) {
      throw new Error(
        `Cannot run ${program} ${args.join(" ")}: ${
          new TextDecoder().decode(stderr)
        }`,
      );
    }
  }
  return python;
}

async function runs(program: string, args: string[]): Promise<boolean> {
  try {
    const { success } = await new Deno.Command(program, { args }).output();
    return success;
  } catch {
    return false;
  }
}

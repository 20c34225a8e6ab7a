/**
 * An `ansible-playbook` that another program starts.
 *
 * @module
 */
import type { Project } from "./project.ts";

/**
 * Makes one for a project.
 *
 * @param through a program and its arguments, behind which the real one stands
 * @returns the PATH that it is first in
 */
export async function playbookThrough(
  project: Project,
  through: readonly string[],
): Promise<string> {
  const path = Deno.env.get("PATH") ?? "";
  const { stdout } = await new Deno.Command("sh", {
    args: ["-c", "command -v ansible-playbook"],
  }).output();
  const real = new TextDecoder().decode(stdout).trim();
  const bin = project.path("through");
  await Deno.mkdir(bin);
  await Deno.writeTextFile(
    `${bin}/ansible-playbook`,
    `#!/bin/sh\nexec ${[...through, real].join(" ")} "$@"\n`,
    { mode: 0o755 },
  );
  return `${bin}:${path}`;
}

/**
 * A launcher that only waits, for tests in which no playbook is run and which
 * start many workers or doctors: Ansible's import is half of what one costs.
 *
 * @module
 */
import type { Project } from "./project.ts";

/** Says what a launcher says, and leaves when its stdin ends. */
const PROGRAM = `#!/bin/sh
echo '{"type":"ready","ansible_version":"2.14.18","said":""}'
exec cat >/dev/null
`;

/**
 * Puts it into a project.
 *
 * @returns the environment in which it is found as ansible-playbook
 */
export async function idleLauncher(
  project: Project,
): Promise<Record<string, string>> {
  const directory = project.path("idle-launcher");
  await Deno.mkdir(directory);
  await Deno.writeTextFile(`${directory}/ansible-playbook`, PROGRAM, {
    mode: 0o755,
  });
  return { PATH: `${directory}:${Deno.env.get("PATH") ?? ""}` };
}

/**
 * A request as arguments of ansible-playbook.
 *
 * @module
 */
import type { TaskRequest } from "../messages/task_request.ts";

/**
 * The arguments of a run, without the extra variables, which travel by
 * themselves. Values are bound to their options by `=`, and the playbook stands
 * behind `--`, so that no value is ever read as an option.
 *
 * @param inventory what `--inventory` gets: a path that was checked, or an
 * inline list of hosts
 */
export function argumentsOf(request: TaskRequest, inventory: string): string[] {
  const args = [`--inventory=${inventory}`];
  if (request.limit !== undefined) args.push(`--limit=${request.limit}`);
  for (const tag of request.tags ?? []) args.push(`--tags=${tag}`);
  for (const tag of request.skip_tags ?? []) args.push(`--skip-tags=${tag}`);
  if (request.verbosity) args.push(`-${"v".repeat(request.verbosity)}`);
  if (request.check_mode) args.push("--check");
  if (request.diff_mode) args.push("--diff");
  if (request.forks !== undefined) args.push(`--forks=${request.forks}`);
  args.push("--", request.playbook);
  return args;
}

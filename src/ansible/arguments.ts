/**
 * A request as arguments of ansible-playbook.
 *
 * @module
 */
import type { TaskRequest } from "../messages/task_request.ts";
import type { Checked } from "./refusal.ts";

/** What the owner of this host adds to every run. */
export interface Secrets {
  /** Opens what is encrypted with the default vault id. */
  readonly vault_password?: string | undefined;
  /** A file with that password, or a program that prints it. */
  readonly vault_password_file?: string | undefined;
  /** `LABEL@FILE`, for other vault ids. */
  readonly vault_identity_list: readonly string[];
  /** The SSH key of the runs. */
  readonly private_key_file?: string | undefined;
}

/**
 * The arguments of a run, without what must not be one: the extra variables and
 * the vault password travel by themselves. Values are bound to their options by
 * `=`, and the playbook stands behind `--`, so that no value is ever read as an
 * option.
 */
export function argumentsOf(
  request: TaskRequest,
  { checked, secrets, forceCheckMode }: {
    checked: Checked;
    secrets: Secrets;
    forceCheckMode: boolean;
  },
): string[] {
  const args = checked.inventories.map((path) => `--inventory=${path}`);
  if (secrets.vault_password_file !== undefined) {
    args.push(`--vault-password-file=${secrets.vault_password_file}`);
  }
  for (const id of secrets.vault_identity_list) args.push(`--vault-id=${id}`);
  if (secrets.private_key_file !== undefined) {
    args.push(`--private-key=${secrets.private_key_file}`);
  }
  if (request.limit !== undefined) args.push(`--limit=${request.limit}`);
  for (const tag of request.tags ?? []) args.push(`--tags=${tag}`);
  for (const tag of request.skip_tags ?? []) args.push(`--skip-tags=${tag}`);
  if (request.verbosity) args.push(`-${"v".repeat(request.verbosity)}`);
  if (request.check_mode || forceCheckMode) args.push("--check");
  if (request.diff_mode) args.push("--diff");
  if (request.forks !== undefined) args.push(`--forks=${request.forks}`);
  args.push("--", checked.playbook);
  return args;
}

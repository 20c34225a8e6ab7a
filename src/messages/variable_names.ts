/**
 * Names of variables that mean something to Ansible.
 *
 * @module
 */

/** Names that Ansible itself gives a meaning. */
export const MAGIC: ReadonlySet<string> = new Set([
  "environment",
  "group_names",
  "groups",
  "hostvars",
  "inventory_dir",
  "inventory_file",
  "inventory_hostname",
  "inventory_hostname_short",
  "omit",
  "play_hosts",
  "playbook_dir",
  "role_name",
  "role_names",
  "role_path",
  "role_uuid",
  "vars",
]);

/**
 * Whether a name is Ansible's own: what connections, modules and the executor
 * read, in whatever case, and what they keep among the variables for themselves
 * (`_ansible_loop_cache` puts a list of one's own in place of every loop's).
 */
export function isAnsibleVariable(name: string): boolean {
  return /^_*ansible_/i.test(name) || MAGIC.has(name);
}

/**
 * Whether Ansible's decoder acts upon a name, wherever it stands: on
 * `__ansible_unsafe` and `__ansible_vault`, and on what may join them.
 */
export function isDecoderKey(name: string): boolean {
  return name.startsWith("__ansible_");
}

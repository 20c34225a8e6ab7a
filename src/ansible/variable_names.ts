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

/** Names that Ansible's decoder acts upon, wherever they stand. */
export const DECODED: ReadonlySet<string> = new Set([
  "__ansible_unsafe",
  "__ansible_vault",
]);

/**
 * The files of a configuration that have secrets in them, and who else on this
 * host may read them.
 *
 * @module
 */
import type { Config } from "./schema.ts";
import type { ConfigSource } from "./source.ts";

/** A file with a secret in it. */
export interface SecretFile {
  /** Where it is. */
  path: string;
  /** The key that names it, or whose value is in it. */
  key: string;
}

/** Keys whose values are secrets, when they are written in the configuration. */
const PASSWORDS = [
  ["mqtt", "password"],
  ["content", "password"],
  ["ansible", "vault_password"],
];

const READABLE_BY_GROUP = 0o040;
const READABLE_BY_ALL = 0o004;
const EXECUTABLE = 0o111;
const ROOT = 0;

/**
 * The files with secrets in them.
 *
 * @param options.path the configuration itself
 * @param options.source its text
 */
export function secretFiles(
  { mqtt, content, ansible }: Config,
  { path, source }: { path: string; source: Pick<ConfigSource, "isWritten"> },
): SecretFile[] {
  const found: SecretFile[] = [];
  const add = (key: string, file: string | undefined) => {
    if (file !== undefined) found.push({ path: file, key });
  };
  const password = PASSWORDS.find((at) => source.isWritten(at));
  if (password) add(password.join("."), path);
  add("mqtt.password_file", mqtt.password_file);
  add("mqtt.tls_client_key", mqtt.tls_client_key);
  add("content.password_file", content?.password_file);
  add("content.ssh_key_file", content?.ssh_key_file);
  add("ansible.private_key_file", ansible.private_key_file);
  add("ansible.vault_password_file", ansible.vault_password_file);
  for (const entry of ansible.vault_identity_list) {
    add("ansible.vault_identity_list", entry.slice(entry.indexOf("@") + 1));
  }
  return found;
}

/**
 * Those that more users of this host may read than they should. Whether the
 * group counts depends on the owner, as it does for ssh: a file of root's is one
 * that root has given to that group, which is how a service gets to read it.
 * A program that prints a password is not a file with one.
 */
export async function openToOthers(
  files: readonly SecretFile[],
): Promise<SecretFile[]> {
  const open: SecretFile[] = [];
  for (const file of files) {
    const stat = await Deno.stat(file.path).catch(() => null);
    const mode = stat?.mode ?? 0;
    const isProgram = file.key.startsWith("ansible.vault_") &&
      (mode & EXECUTABLE) !== 0;
    const counts = stat?.uid === ROOT
      ? READABLE_BY_ALL
      : READABLE_BY_GROUP | READABLE_BY_ALL;
    if (!isProgram && (mode & counts) !== 0) open.push(file);
  }
  return open;
}

/**
 * The files and directories that a configuration names.
 *
 * @module
 */
import { resolve } from "node:path/posix";
import { KeyError, readPublicKey } from "../messages/signed.ts";

/** A path that a configuration names, and what has to be there. */
export interface NamedPath {
  /** Its place in the configuration. */
  at: (string | number)[];
  /** As it was written. */
  path: string;
  /** What has to be there. */
  kind: "file" | "directory";
}

const FILES = [
  ["content", "password_file"],
  ["content", "ssh_key_file"],
  ["content", "ssh_known_hosts_file"],
  ["content", "trusted_signers"],
  ["mqtt", "password_file"],
  ["mqtt", "tls_ca_cert"],
  ["mqtt", "tls_client_cert"],
  ["mqtt", "tls_client_key"],
  ["ansible", "vault_password_file"],
  ["ansible", "private_key_file"],
] as const;

/** Those of the page, which a worker does not read. */
const FILES_OF_WEB = [["web", "users"], ["web", "signing_key"]] as const;

const DIRECTORIES = [
  ["worker", "playbook_directory"],
  ["worker", "inventory_directory"],
] as const;

/**
 * The paths in a configuration, which need not be a valid one.
 *
 * @param options.web those that only the page reads, too
 */
export function namedPaths(
  value: unknown,
  { web = false }: { web?: boolean } = {},
): NamedPath[] {
  const found: NamedPath[] = [];
  const add = (
    kind: NamedPath["kind"],
    at: NamedPath["at"],
    path = memberAt(value, at),
  ) => {
    if (typeof path === "string" && path !== "") found.push({ at, path, kind });
  };
  // In a checkout they are there when that is.
  if (!hasContent(value)) {
    for (const at of DIRECTORIES) add("directory", [...at]);
  }
  for (const at of web ? [...FILES, ...FILES_OF_WEB] : FILES) {
    add("file", [...at]);
  }
  const list = (at: string[]) => {
    const items = memberAt(value, at);
    return Array.isArray(items) ? items : [];
  };
  list(["ansible", "vault_identity_list"]).forEach((item, i) => {
    const [, path] = /^[^@]*@(.+)$/s.exec(String(item)) ?? [];
    add("file", ["ansible", "vault_identity_list", i], path);
  });
  list(["security", "trusted_keys"]).forEach((_, i) =>
    add("file", ["security", "trusted_keys", i, "file"])
  );
  return found;
}

/** Whether playbooks and inventories come from a repository. */
export function hasContent(value: unknown): boolean {
  return (memberAt(value, ["content"]) ?? null) !== null;
}

/** A path that a template names. */
export interface TemplatePath {
  /** Its place in the configuration. */
  at: (string | number)[];
  /** As it was written. */
  path: string;
  /** What it is, and so the directory that it is in. */
  root: "playbook" | "inventory";
}

/** The paths that templates name; a list of hosts is none. */
export function templatePaths(value: unknown): TemplatePath[] {
  const templates = memberAt(value, ["templates"]);
  if (typeof templates !== "object" || templates === null) return [];
  return Object.keys(templates).flatMap((name) => {
    const at = ["templates", name];
    const inventory = memberAt(value, [...at, "inventory"]);
    return [
      { at: [...at, "playbook"], root: "playbook" as const },
      ...(Array.isArray(inventory)
        ? inventory.map((_, i) => [...at, "inventory", i])
        : [[...at, "inventory"]])
        .map((at) => ({ at, root: "inventory" as const })),
    ].flatMap(({ at, root }) => {
      const path = memberAt(value, at);
      const isPath = typeof path === "string" && path !== "" &&
        !(root === "inventory" && path.includes(","));
      return isPath ? [{ at, path, root }] : [];
    });
  });
}

/**
 * What is wrong with a path that a template names; null if it can be used.
 *
 * @param directory the one that it is in; null: it cannot be looked at now
 */
export async function problemOfTemplatePath(
  { path, root }: TemplatePath,
  directory: string | null,
): Promise<string | null> {
  if (path.startsWith("/") || path.split("/").includes("..")) {
    return `must be a path relative to the ${root} directory, and within it`;
  }
  if (directory === null) return null;
  return await problemOfPath(path, {
    kind: root === "playbook" ? "file" : "file or directory",
    directory,
  });
}

/** A member, however deep, of what may be anything. */
export function memberAt(
  value: unknown,
  at: readonly (string | number)[],
): unknown {
  return at.reduce<unknown>(
    (inner, name) =>
      typeof inner === "object" && inner !== null && Object.hasOwn(inner, name)
        ? (inner as Record<string, unknown>)[name]
        : undefined,
    value,
  );
}

/**
 * What is wrong with a path; null if it can be used.
 *
 * @param path absolute, or relative to the directory
 * @param options.started what has to be started with more permissions, if that
 * is the problem
 */
export async function problemOfPath(
  path: string,
  { kind, directory, started = "the worker" }: {
    kind: "file" | "directory" | "file or directory";
    directory: string;
    started?: string;
  },
): Promise<string | null> {
  // Somebody has put the key itself here, which must not get into a message.
  // deno-lint-ignore no-control-regex
  if (/[\u0000-\u001f\u007f]|-----BEGIN/.test(path)) {
    return `must be the path of a ${kind}, not what is in it`;
  }
  const absolute = resolve(directory, path);
  try {
    const stat = await Deno.stat(absolute);
    if (kind === "directory") {
      if (!stat.isDirectory) return `"${absolute}" is not a directory`;
      for await (const _ of Deno.readDir(absolute)) break;
    } else if (kind === "file" || !stat.isDirectory) {
      if (!stat.isFile) return `"${absolute}" is not a file`;
      (await Deno.open(absolute)).close();
    }
    return null;
  } catch (error) {
    if (
      error instanceof Deno.errors.NotFound ||
      error instanceof Deno.errors.NotADirectory
    ) return `there is no ${kind} "${absolute}"`;
    if (error instanceof Deno.errors.NotCapable) {
      return `"${absolute}" is hidden by Deno's sandbox; start ${started} with --allow-read=${absolute}`;
    }
    if (error instanceof Deno.errors.PermissionDenied) {
      if (isCredential(absolute)) return null;
      return `"${absolute}" may not be read by the user that this runs as`;
    }
    return `cannot read "${absolute}": ${(error as Error).message}`;
  }
}

/**
 * Whether a file is a credential that systemd has for this service. A service
 * may always read its own when it starts, but the commands of `ExecReload=`,
 * one of which checks the configuration, are kept from it (seen with 252 and 257).
 */
function isCredential(path: string): boolean {
  const directory = Deno.env.get("CREDENTIALS_DIRECTORY");
  return directory !== undefined && path.startsWith(`${directory}/`);
}

/**
 * The password in a file: all of it, but for the end of its last line.
 *
 * @returns null where it cannot be read
 */
export async function passwordIn(path: string): Promise<string | null> {
  const text = await Deno.readTextFile(path).catch(() => null);
  return text?.replace(/\r?\n$/, "") ?? null;
}

/** What is wrong with the file of a trusted key; null if it can be used. */
export async function problemOfKey(path: string): Promise<string | null> {
  try {
    await readPublicKey(await Deno.readTextFile(path));
    return null;
  } catch (error) {
    return error instanceof KeyError
      ? `"${path}" ${error.message}`
      : `cannot read "${path}": ${(error as Error).message}`;
  }
}

/** Where the host's name is. */
export const HOST_NAME_FILE = "/etc/hostname";

/**
 * This host's name as one topic level; null where it cannot be told, or is one
 * that many hosts have.
 */
export async function hostName(): Promise<string | null> {
  let text;
  try {
    // Asking the system, or /proc, would need a permission of its own.
    text = await Deno.readTextFile(HOST_NAME_FILE);
  } catch {
    return null;
  }
  const name = text.split("\n").map((line) => line.trim())
    .find((line) => line !== "" && !line.startsWith("#"))
    ?.replaceAll(/[^A-Za-z0-9._:@~-]/g, "-").slice(0, 64);
  return name && !/^localhost(\.|$)/.test(name) ? name : null;
}

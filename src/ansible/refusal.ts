/**
 * What is refused before anything runs: paths outside their directories, and
 * values that Ansible would not take as data.
 *
 * @module
 */
import { join, sep } from "node:path/posix";
import type { TaskRequest } from "../messages/task_request.ts";

/** The deepest nesting of extra variables. */
const MOST_LEVELS = 32;

/** Where playbooks and inventories are. */
export interface Directories {
  /** Where playbooks are; also the working directory of every run. */
  playbookDirectory: string;
  /** Where inventories are. */
  inventoryDirectory: string;
}

/** A request that may run, with its paths as Ansible gets them. */
export interface Checked {
  /** A path below the inventory directory, or an inline list of hosts. */
  inventory: string;
}

/**
 * Checks a request against the file system and the rules for its values.
 *
 * @returns why it is refused, in one sentence, or what it may run with
 */
export async function check(
  request: TaskRequest,
  directories: Directories,
): Promise<string | Checked> {
  const bad = refusedValue(request);
  if (bad) return bad;
  const playbook = await find(
    "playbook",
    request.playbook,
    directories.playbookDirectory,
  );
  if (playbook.refusal !== undefined) return playbook.refusal;
  if (!playbook.isFile) {
    return `playbook ${quote(request.playbook)} is not a file`;
  }
  if (request.inventory.includes(",")) return { inventory: request.inventory };
  const inventory = await find(
    "inventory",
    request.inventory,
    directories.inventoryDirectory,
  );
  if (inventory.refusal !== undefined) return inventory.refusal;
  return { inventory: inventory.path };
}

function refusedValue(request: TaskRequest): string | null {
  return refusedPath("playbook", request.playbook) ??
    (request.inventory.includes(",")
      ? refusedHosts(request.inventory)
      : refusedPath("inventory", request.inventory)) ??
    refusedLimit(request.limit) ??
    refusedVariables(request.extra_vars);
}

function refusedPath(field: string, path: string): string | null {
  if (path.startsWith("/")) {
    return `${field} ${quote(path)} must be a path relative to its directory`;
  }
  const character = /[@$~\\]/.exec(path)?.[0];
  if (character) {
    return `${field} ${quote(path)} must not contain ${quote(character)}`;
  }
  if (path.split("/").includes("..")) {
    return `${field} ${quote(path)} must not contain ".."`;
  }
  return null;
}

function refusedHosts(inventory: string): string | null {
  // Host names, addresses and ranges: what Ansible's host list takes.
  return /^[A-Za-z0-9._:\[\],\- ]+$/.test(inventory)
    ? null
    : `inventory ${quote(inventory)} must be a list of host names`;
}

function refusedLimit(limit: string | undefined): string | null {
  if (limit === undefined) return null;
  // Ansible reads a file at each pattern that begins with "@".
  return limit.split(/[,:;\s]/).some((pattern) =>
      /^[!&]*@/.test(pattern.trim())
    )
    ? `limit ${quote(limit)} must not name a file with "@"`
    : null;
}

/** Names that Ansible itself gives a meaning. */
const MAGIC: ReadonlySet<string> = new Set([
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
  "vars",
]);

/** Names that Ansible's decoder acts upon, wherever they stand. */
const DECODED: ReadonlySet<string> = new Set([
  "__ansible_unsafe",
  "__ansible_vault",
]);

function refusedVariables(
  variables: Record<string, unknown> | undefined,
): string | null {
  for (const [name, value] of Object.entries(variables ?? {})) {
    if (DECODED.has(name)) {
      return `extra_vars: the name ${quote(name)} is not allowed`;
    }
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) {
      return `extra_vars: ${quote(name)} is not the name of a variable`;
    }
    if (/^ansible_/i.test(name) || MAGIC.has(name)) {
      return `extra_vars: the name ${quote(name)} is Ansible's own`;
    }
    const deep = refusedValueWithin(value, 2);
    if (deep) return `extra_vars.${name}: ${deep}`;
  }
  return null;
}

function refusedValueWithin(value: unknown, level: number): string | null {
  if (typeof value !== "object" || value === null) return null;
  if (level > MOST_LEVELS) {
    return `must not be nested deeper than ${MOST_LEVELS} levels`;
  }
  for (const [key, inner] of Object.entries(value)) {
    if (!Array.isArray(value) && DECODED.has(key)) {
      return `the name ${quote(key)} is not allowed`;
    }
    const deep = refusedValueWithin(inner, level + 1);
    if (deep) return deep;
  }
  return null;
}

async function find(
  field: string,
  path: string,
  directory: string,
): Promise<
  { refusal: string } | { refusal?: undefined; path: string; isFile: boolean }
> {
  const missing = {
    refusal: `${field} ${quote(path)} was not found in the ${field} directory`,
  };
  try {
    const root = await Deno.realPath(directory);
    const real = await Deno.realPath(join(root, path));
    if (real !== root && !real.startsWith(root + sep)) {
      return {
        refusal: `${field} ${quote(path)} is outside the ${field} directory`,
      };
    }
    const stat = await Deno.stat(real);
    if (!stat.isFile && !stat.isDirectory) {
      return { refusal: `${field} ${quote(path)} is not a file` };
    }
    // The path as it was given: Ansible looks for variables and roles beside
    // it, not beside what a link points to.
    return { path: join(root, path), isFile: stat.isFile };
  } catch (error) {
    if (
      error instanceof Deno.errors.NotFound ||
      error instanceof Deno.errors.NotADirectory
    ) return missing;
    return {
      refusal: `${field} ${quote(path)} cannot be read: ${
        error instanceof Error ? error.message : error
      }`,
    };
  }
}

function quote(text: string): string {
  return JSON.stringify(text.length > 200 ? `${text.slice(0, 200)}…` : text);
}

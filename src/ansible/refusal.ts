/**
 * What is refused before anything runs: paths outside their directories, and
 * values that Ansible would not take as data.
 *
 * @module
 */
import { normalize } from "node:path/posix";
import { isAnsibleVariable, isDecoderKey } from "../messages/variable_names.ts";
import { isOutside } from "../patterns.ts";
import { quote } from "../quote.ts";
import { locate } from "./named_file.ts";
import { inventoriesOf, type TaskRequest } from "../messages/task_request.ts";

/** The deepest nesting of extra variables. */
const MAX_NESTING = 32;

/**
 * What a text encrypted with ansible-vault begins with. The copy module decrypts
 * it, so whoever has only the encrypted text could have it opened.
 */
const ENCRYPTED = "$ANSIBLE_VAULT";

/** The most hosts that lists of hosts may stand for; ranges are short. */
const MAX_HOSTS = 10_000;

/** Where playbooks and inventories are. */
export interface Directories {
  /** Where playbooks are; also the working directory of every run. */
  playbookDirectory: string;
  inventoryDirectory: string;
  /**
   * Files of the worker's own, with secrets in them. They may lie in these
   * directories, and Ansible's messages would show parts of them.
   */
  secretFiles: readonly string[];
}

/** What the owner of this host allows messages to ask for. */
export interface Policy {
  /** Patterns of playbooks that may be run; all, if left out. */
  readonly playbooks?: readonly string[] | undefined;
  /** Patterns of inventory files that may be used; all, if left out. */
  readonly inventories?: readonly string[] | undefined;
  /** Whether an inventory may be a list of hosts. */
  readonly inline_inventory: boolean;
  /** Variables that may be passed although they mean something to Ansible. */
  readonly extra_vars_allow: readonly string[];
  /** The longest time limit, in seconds. */
  readonly max_timeout: number;
  readonly max_forks: number;
  readonly max_verbosity: number;
  /** Whether every run is a run in check mode. */
  readonly force_check_mode: boolean;
}

/** A request that may run, as Ansible gets it. */
export interface Checked {
  /** A path below the playbook directory, relative to it. */
  playbook: string;
  /** Paths below the inventory directory, and inline lists of hosts. */
  inventories: string[];
  /** Whether programs among the inventory's files are run for their output. */
  inventoryPrograms: boolean;
}

/**
 * Checks a request against the policy, the rules for its values, and the file
 * system.
 *
 * @returns why it is refused, in one sentence, or what it may run with
 */
export async function checkRequest(
  request: TaskRequest,
  { directories, policy }: { directories: Directories; policy: Policy },
): Promise<string | Checked> {
  const { playbook: name, inventory, revision } = request;
  if (revision !== undefined) {
    return `revision ${
      quote(revision)
    } cannot be had: the playbooks of this worker do not come from git (content)`;
  }
  if (name === undefined || inventory === undefined) {
    return "it names no playbook, or no inventory";
  }
  const asked = inventoriesOf(inventory);
  const bad = refusedPath("playbook", name) ??
    refusedInventories(asked) ??
    refusedLimit(request.limit) ??
    refusedVariables(request.extra_vars, policy) ??
    refusedByPolicy(request, { policy, playbook: name, inventories: asked });
  if (bad) return bad;
  const playbook = await locate(
    "playbook",
    name,
    {
      root: directories.playbookDirectory,
      ...directories,
      isAllowed: (path) =>
        /\.ya?ml$/.test(path) && !isOutside(path, policy.playbooks),
    },
  );
  if (playbook.refusal !== undefined) return playbook.refusal;
  if (!playbook.isFile) {
    return `playbook ${quote(name)} is not a file`;
  }
  const inventories: string[] = [];
  for (const inventory of asked) {
    if (isInline(inventory)) {
      inventories.push(inventory);
      continue;
    }
    const located = await locate(
      "inventory",
      inventory,
      {
        root: directories.inventoryDirectory,
        ...directories,
        isAllowed: (path) => !isOutside(path, policy.inventories),
      },
    );
    if (located.refusal !== undefined) return located.refusal;
    if (located.isProgram && policy.inventories === undefined) {
      return `inventory ${
        quote(inventory)
      } is a program; only policy.inventories can allow one; or, if it is none, chmod -x it`;
    }
    inventories.push(located.path);
  }
  return {
    playbook: normalize(name),
    inventories,
    // Any program in the directory could be run by naming it as an inventory,
    // so only those that the owner of the host has named are.
    inventoryPrograms: policy.inventories !== undefined,
  };
}

function isInline(inventory: string): boolean {
  return inventory.includes(",");
}

/** What is valid, and more than the policy allows. */
function refusedByPolicy(
  request: TaskRequest,
  { policy, playbook, inventories }: {
    policy: Policy;
    playbook: string;
    inventories: readonly string[];
  },
): string | null {
  if (isOutside(playbook, policy.playbooks)) {
    return `policy.playbooks does not allow the playbook ${quote(playbook)}`;
  }
  for (const inventory of inventories) {
    if (isInline(inventory)) {
      if (!policy.inline_inventory) {
        return "policy.inline_inventory does not allow a list of hosts as inventory";
      }
    } else if (isOutside(inventory, policy.inventories)) {
      return `policy.inventories does not allow the inventory ${
        quote(inventory)
      }`;
    }
  }
  for (
    const [field, rule] of [
      ["timeout", "max_timeout"],
      ["forks", "max_forks"],
      ["verbosity", "max_verbosity"],
    ] as const
  ) {
    const asked = request[field];
    if (asked !== undefined && asked > policy[rule]) {
      return `policy.${rule} allows ${field} up to ${
        policy[rule]
      }, and ${asked} was asked for`;
    }
  }
  return null;
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

function refusedInventories(inventories: readonly string[]): string | null {
  let count = 0;
  for (const inventory of inventories) {
    if (!isInline(inventory)) {
      const bad = refusedPath("inventory", inventory);
      if (bad !== null) return bad;
      continue;
    }
    const hosts = hostsOf(inventory);
    if (hosts === null) {
      return `inventory ${quote(inventory)} must be a list of host names`;
    }
    count += hosts.reduce((sum, host) => sum + hostsIn(host), 0);
    if (count > MAX_HOSTS) {
      return `inventory ${
        quote(inventory)
      } must not be more than ${MAX_HOSTS} hosts`;
    }
  }
  return null;
}

/** The names in a list of hosts; null if one is none. */
function hostsOf(inventory: string): string[] | null {
  // Spaces only: what else one language takes for white space, another does not.
  const hosts = inventory.split(",").map((host) =>
    host.replace(/^ +| +$/g, "")
  );
  // Host names, addresses and ranges. What begins with a dash, ssh would take
  // for an option of its own.
  return hosts.every((host) =>
      /^([A-Za-z0-9_[][A-Za-z0-9._:[\]-]*)?$/.test(host)
    )
    ? hosts
    : null;
}

/** How many hosts a name stands for at the most: `h[1:20]` for 20. */
function hostsIn(host: string): number {
  let count = 1;
  for (
    const [, first, last] of host.matchAll(/\[([^:\]]*):([^:\]]*)[^\]]*\]/g)
  ) {
    // Python reads a number with underscores in it.
    const [from, to] = [first!, last!].map((end) =>
      Number(end.replaceAll("_", ""))
    );
    // Counted in either direction; of letters there are 52.
    const size = Math.abs(to! - from!) + 1;
    count *= Number.isNaN(size) ? 52 : size;
  }
  return count;
}

function refusedLimit(limit: string | undefined): string | null {
  if (limit === undefined) return null;
  // Ansible reads a file at each pattern that begins with "@", and finds
  // patterns in more places than one would think: behind a bracket, and behind
  // every kind of white space that Python knows.
  return /(^|[^A-Za-z0-9_.-])@/.test(limit)
    ? `limit ${quote(limit)} must not name a file with "@"`
    : null;
}

function refusedVariables(
  variables: Record<string, unknown> | undefined,
  { extra_vars_allow }: Policy,
): string | null {
  for (const [name, value] of Object.entries(variables ?? {})) {
    if (isDecoderKey(name)) {
      return `extra_vars: the name ${quote(name)} is not allowed`;
    }
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) {
      return `extra_vars: ${quote(name)} is not the name of a variable`;
    }
    if (isAnsibleVariable(name) && !extra_vars_allow.includes(name)) {
      return `extra_vars: the name ${
        quote(name)
      } is Ansible's own, and not in policy.extra_vars_allow`;
    }
    const deep = refusedValueWithin(value, 2);
    if (deep) return `extra_vars.${name}: ${deep}`;
  }
  return null;
}

function refusedValueWithin(value: unknown, level: number): string | null {
  if (typeof value === "number" && !Number.isFinite(value)) {
    return "must be a finite number";
  }
  if (typeof value === "string" && value.startsWith(ENCRYPTED)) {
    return "must not be an encrypted text: a play task that writes it into a file would decrypt it; keep it in a file of the playbook";
  }
  if (typeof value !== "object" || value === null) return null;
  if (level > MAX_NESTING) {
    return `must not be nested deeper than ${MAX_NESTING} levels`;
  }
  for (const [key, inner] of Object.entries(value)) {
    if (!Array.isArray(value) && isDecoderKey(key)) {
      return `the name ${quote(key)} is not allowed`;
    }
    const deep = refusedValueWithin(inner, level + 1);
    if (deep) return deep;
  }
  return null;
}

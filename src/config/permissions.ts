/**
 * The permissions that a configuration needs in Deno's sandbox, and no others.
 *
 * @module
 */
import { basename, dirname, isAbsolute, join, resolve } from "node:path/posix";
import type { Loaded } from "./load.ts";
import { RUN_VARIABLES, SERVICE_VARIABLES } from "./run_environment.ts";
import { addressOf } from "./values.ts";

/** The program that the worker runs. */
const PROGRAM = "ansible-playbook";

/** One permission. */
export interface Need {
  /** The kind, as in `--allow-net`. */
  kind: "env" | "net" | "read" | "run" | "write";
  /** What is to be allowed. */
  value: string;
  /** What for, as the rest of a sentence. */
  why: string;
}

/**
 * What a configuration needs.
 *
 * @param options.file the configuration itself
 * @param options.program where `ansible-playbook` is, if that is known
 */
export async function needsOf(
  { config, variables, files }: Loaded,
  options: { file: string; program?: string | null },
): Promise<Need[]> {
  const { content, metrics, mqtt, worker } = config;
  const { add, needs, read } = collector();
  add("net", hostAndPort(mqtt), "to connect to the broker");
  const listen = addressOf(metrics.listen ?? "");
  if (listen) {
    add(
      "net",
      hostAndPort({ host: listen.hostname, port: listen.port }),
      "to listen for metrics and health",
    );
  }
  add("run", options.program ?? PROGRAM, "to run playbooks");
  await read(resolve(options.file), "to read the configuration");
  if (content) {
    await read(
      content.directory,
      "to see whether a playbook is in its checkout",
    );
  } else {
    await read(
      worker.playbook_directory,
      "to see whether a playbook is in its directory",
    );
    await read(
      worker.inventory_directory,
      "to see whether an inventory is in its directory",
    );
  }
  for (const file of files) {
    if (needs.some(({ value }) => value === file)) continue;
    await read(file, "to read a file that the configuration names");
  }
  for (const name of variables) {
    add("env", name, "to fill in a value of the configuration");
  }
  for (const name of RUN_VARIABLES) {
    add("env", name, "to give it to the runs, if it is set");
  }
  for (const name of SERVICE_VARIABLES) {
    add("env", name, "to know what the service manager wants, if there is one");
  }
  return needs;
}

/** Collects what is needed, each once. */
export function collector(): {
  needs: Need[];
  add(kind: Need["kind"], value: string, why: string): void;
  read(path: string, why: string): Promise<void>;
} {
  const needs: Need[] = [];
  const add = (kind: Need["kind"], value: string, why: string) => {
    if (needs.some((need) => need.kind === kind && need.value === value)) {
      return;
    }
    needs.push({ kind, value, why });
  };
  return {
    needs,
    add,
    async read(path, why) {
      add("read", path, why);
      // Both names of a link are asked for.
      add("read", await realPathOf(path), why);
    },
  };
}

/** Where a path leads, also one that is not there yet. */
async function realPathOf(path: string): Promise<string> {
  try {
    return await Deno.realPath(path);
  } catch {
    const above = dirname(path);
    return above === path
      ? path
      : join(await realPathOf(above), basename(path));
  }
}

/** What the sandbox allows, against what a configuration needs. */
export interface SandboxReview {
  /** Needed and not granted. */
  denied: Need[];
  /** Granted and not needed, as flags. */
  unneeded: string[];
}

/**
 * Compares the sandbox with what a configuration needs.
 *
 * @param options.file the configuration itself
 */
export async function reviewSandbox(
  loaded: Loaded,
  { file }: { file: string },
): Promise<SandboxReview> {
  const needs = await needsOf(loaded, { file });
  return {
    // A program that is not there is not allowed either; running it tells which.
    denied: await missing(needs.filter(({ kind }) => kind !== "run")),
    unneeded: await excess(),
  };
}

/** Those that the sandbox does not grant. */
export async function missing(needs: readonly Need[]): Promise<Need[]> {
  const states = await Promise.all(
    needs.map((need) => Deno.permissions.query(descriptorOf(need))),
  );
  return needs.filter((_, i) => states[i]!.state !== "granted");
}

/** What the sandbox grants that no configuration needs, as flags. */
async function excess(): Promise<string[]> {
  const probes: [string, Deno.PermissionDescriptor][] = [
    ["--allow-env", { name: "env" }],
    ["--allow-ffi", { name: "ffi" }],
    ["--allow-import", { name: "import" } as Deno.PermissionDescriptor],
    ["--allow-net", { name: "net" }],
    ["--allow-read", { name: "read" }],
    ["--allow-run", { name: "run" }],
    ["--allow-sys", { name: "sys" }],
    ["--allow-write", { name: "write" }],
  ];
  const states = await Promise.all(
    probes.map(([, descriptor]) => Deno.permissions.query(descriptor)),
  );
  return probes.filter((_, i) => states[i]!.state === "granted")
    .map(([flag]) => flag);
}

/** Where the program is that the worker would run; null if it is not found. */
export async function findProgram(path: string): Promise<string | null> {
  for (const directory of path.split(":").filter(isAbsolute)) {
    const file = join(directory, PROGRAM);
    try {
      const { isFile, mode } = await Deno.stat(file);
      if (isFile && ((mode ?? 0) & 0o111) !== 0) return file;
    } catch {
      // Not there, or not to be seen.
    }
  }
  return null;
}

/** The directory of this program's sources. */
export function programDirectory(): string {
  return dirname(dirname(dirname(new URL(import.meta.url).pathname)));
}

/** An address as `--allow-net` wants it: an IPv6 one stands in brackets. */
export function hostAndPort(
  { host, port }: { host: string; port: number },
): string {
  return `${host.includes(":") ? `[${host}]` : host}:${port}`;
}

function descriptorOf({ kind, value }: Need): Deno.PermissionDescriptor {
  switch (kind) {
    case "env":
      return { name: kind, variable: value };
    case "net":
      return { name: kind, host: value };
    case "read":
    case "write":
      return { name: kind, path: value };
    case "run":
      return { name: kind, command: value };
  }
}

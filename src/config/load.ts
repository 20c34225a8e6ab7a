/**
 * From a file to a configuration: YAML, then `${…}`, then the schema, then the
 * files that it names. All problems are told at once, each with its place.
 *
 * @module
 */
import { dirname, resolve } from "node:path/posix";
import {
  type Document,
  isMap,
  isPair,
  isScalar,
  LineCounter,
  type Node,
  parseDocument,
  visit,
} from "yaml";
import type { z } from "zod";
import { expand, fromEnvironment, VariableError } from "./expand.ts";
import { type Config, configSchema } from "./schema.ts";

/** The configuration is not valid; the message has one line a problem. */
export class ConfigError extends Error {
  /** The kind of error. */
  override name = "ConfigError";
}

/** Keys whose values are paths. */
const PATHS = {
  "mqtt.tls_ca_cert": "file",
  "mqtt.tls_client_cert": "file",
  "mqtt.tls_client_key": "file",
  "worker.playbook_directory": "directory",
  "worker.inventory_directory": "directory",
} as const;

/** The largest file that is read as a configuration, in bytes. */
const MOST_BYTES = 1024 * 1024;

/**
 * Reads a configuration.
 *
 * @param path relative paths in it are relative to its directory
 * @throws {ConfigError} with every problem as `FILE:LINE:COLUMN: KEY: PROBLEM`
 */
export async function loadConfig(path: string): Promise<Config> {
  const source = await read(path);
  const lines = new LineCounter();
  const document = parseDocument(source, {
    lineCounter: lines,
    prettyErrors: false,
    strict: true,
    // A configuration has no use for references that multiply.
    customTags: [],
  });
  const problems = new Problems(path, document, lines);
  for (const { message, pos } of document.errors) {
    problems.addAt(pos[0], "", message);
  }
  problems.throwIfAny();
  expandAll(document, problems);
  let value: unknown;
  try {
    value = document.toJS({ maxAliasCount: 0 }) ?? {};
  } catch {
    problems.addAt(0, "", "must not use aliases (*name)");
  }
  const result = configSchema.safeParse(value, { reportInput: true });
  if (!result.success) {
    for (const issue of result.error.issues) problems.addIssue(issue);
  }
  await checkPaths(value, problems, dirname(path));
  problems.throwIfAny();
  return freeze(await complete(result.data!, problems, dirname(path)));
}

async function read(path: string): Promise<string> {
  try {
    const { size } = await Deno.stat(path);
    if (size > MOST_BYTES) throw new Error("it is larger than 1 MiB");
    return await Deno.readTextFile(path);
  } catch (error) {
    const reason = error instanceof Deno.errors.NotFound
      ? "there is no such file; name one with -c FILE"
      : (error as Error).message;
    throw new ConfigError(`Cannot read the configuration "${path}": ${reason}`);
  }
}

function expandAll(document: Document, problems: Problems): void {
  visit(document, {
    Scalar(key, node, ancestors) {
      if (key === "key" || typeof node.value !== "string") return;
      try {
        node.value = expand(node.value, fromEnvironment);
      } catch (error) {
        if (!(error instanceof VariableError)) throw error;
        const name = ancestors.filter(isPair).map((pair) =>
          isScalar(pair.key) ? String(pair.key.value) : "?"
        ).join(".");
        problems.addAt(node.range?.[0] ?? 0, name, error.message);
      }
    },
  });
}

async function checkPaths(
  value: unknown,
  problems: Problems,
  directory: string,
): Promise<void> {
  for (const [key, kind] of Object.entries(PATHS)) {
    const [section, name] = key.split(".") as [string, string];
    const path = (value as Record<string, Record<string, unknown>>)[section]
      ?.[name];
    if (typeof path !== "string" || path === "") continue;
    try {
      const stat = await Deno.stat(resolve(directory, path));
      if (kind === "directory" ? !stat.isDirectory : stat.isDirectory) {
        problems.add([section, name], `"${path}" is not a ${kind}`);
      }
    } catch (error) {
      problems.add(
        [section, name],
        error instanceof Deno.errors.NotFound
          ? `there is no ${kind} "${path}"`
          : `cannot read "${path}": ${(error as Error).message}`,
      );
    }
  }
}

/** Fills in what depends on other keys, or on the host. */
async function complete(
  parsed: z.output<typeof configSchema>,
  problems: Problems,
  directory: string,
): Promise<Config> {
  const { mqtt, worker } = parsed;
  const absolute = (path: string) => resolve(directory, path);
  const files: Partial<
    Record<"tls_ca_cert" | "tls_client_cert" | "tls_client_key", string>
  > = {};
  for (
    const key of ["tls_ca_cert", "tls_client_cert", "tls_client_key"] as const
  ) {
    if (mqtt[key] !== undefined) files[key] = absolute(mqtt[key]);
  }
  let workerId = worker.worker_id;
  if (workerId === undefined) {
    workerId = await hostName() ?? undefined;
    if (workerId === undefined) {
      problems.add(
        ["worker"],
        "worker_id is required, since the name of this host cannot be read",
      );
      problems.throwIfAny();
    }
  }
  const playbooks = absolute(worker.playbook_directory);
  return {
    ...parsed,
    mqtt: {
      ...mqtt,
      ...files,
      port: mqtt.port ?? (mqtt.tls_enabled ? 8883 : 1883),
    },
    worker: {
      ...worker,
      worker_id: workerId!,
      playbook_directory: playbooks,
      inventory_directory: worker.inventory_directory === undefined
        ? playbooks
        : absolute(worker.inventory_directory),
    },
  };
}

/** The host's name as one topic level; asking the system needs a permission. */
async function hostName(): Promise<string | null> {
  for (const file of ["/etc/hostname", "/proc/sys/kernel/hostname"]) {
    try {
      const name = (await Deno.readTextFile(file)).split("\n")
        .map((line) => line.trim())
        .find((line) => line !== "" && !line.startsWith("#"))
        ?.replace(/[^A-Za-z0-9._:@~-]/g, "-").slice(0, 64);
      if (name) return name;
    } catch {
      // The next one, or none.
    }
  }
  return null;
}

function freeze<T extends object>(value: T): T {
  for (const inner of Object.values(value)) {
    if (typeof inner === "object" && inner !== null) freeze(inner);
  }
  return Object.freeze(value);
}

/** What is wrong with a configuration, in the order of its lines. */
class Problems {
  readonly #file: string;
  readonly #document: Document;
  readonly #lines: LineCounter;
  readonly #found: { offset: number; key: string; message: string }[] = [];

  constructor(file: string, document: Document, lines: LineCounter) {
    this.#file = file;
    this.#document = document;
    this.#lines = lines;
  }

  addAt(offset: number, key: string, message: string): void {
    this.#found.push({ offset, key, message });
  }

  add(path: readonly PropertyKey[], message: string): void {
    const key = path.map(String).join(".");
    // One problem a key: the others follow from the first.
    if (this.#found.some((found) => found.key === key && key !== "")) return;
    this.addAt(this.#offset(path), key, message);
  }

  addIssue(issue: z.core.$ZodIssue): void {
    if (issue.code === "unrecognized_keys") {
      for (const key of issue.keys) {
        const path = [...issue.path, key];
        const near = nearest(key, keysAt(issue.path));
        this.addAt(
          this.#offset(path, { key: true }),
          path.map(String).join("."),
          `is not a key${near ? `; did you mean ${near}?` : ""}`,
        );
      }
      return;
    }
    const missing = issue.input === undefined &&
      (issue.code === "invalid_type" || issue.code === "invalid_union");
    const mapping = issue.code === "invalid_type" &&
      issue.expected === "object";
    this.add(
      issue.path,
      missing ? "is required" : mapping ? "must be a mapping" : issue.message,
    );
  }

  throwIfAny(): void {
    if (this.#found.length === 0) return;
    const told = this.#found.sort((a, b) => a.offset - b.offset).map(
      ({ offset, key, message }) => {
        const { line, col } = this.#lines.linePos(offset);
        const place = line === 0 ? "1:1" : `${line}:${col}`;
        return `${this.#file}:${place}: ${key ? `${key}: ` : ""}${message}`;
      },
    );
    throw new ConfigError([...new Set(told)].join("\n"));
  }

  /** Where a value stands; for one that is missing, where it should. */
  #offset(path: readonly PropertyKey[], options = { key: false }): number {
    let node: unknown = this.#document.contents;
    let offset = 0;
    for (const [depth, name] of path.entries()) {
      if (!isMap(node)) break;
      const pair = node.items.find(({ key }) =>
        isScalar(key) && key.value === name
      );
      if (!pair) break;
      const key = pair.key as Node;
      const value = pair.value as Node | null;
      const last = depth === path.length - 1;
      offset = (options.key && last ? null : isMap(value) ? key : value)
        ?.range?.[0] ?? key.range?.[0] ?? offset;
      node = value;
    }
    return offset;
  }
}

function keysAt(path: readonly PropertyKey[]): string[] {
  let schema: unknown = configSchema;
  for (const name of path) {
    schema = (schema as { shape?: Record<PropertyKey, unknown> }).shape?.[name];
  }
  return Object.keys((schema as { shape?: object } | undefined)?.shape ?? {});
}

/** The most similar of some names, if one is similar at all. */
function nearest(name: string, names: string[]): string | null {
  const [best] = names.map((other) => ({ other, far: distance(name, other) }))
    .sort((a, b) => a.far - b.far);
  return best && best.far <= Math.max(2, name.length / 3) ? best.other : null;
}

/** How many letters have to be changed, added or taken away. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      next[j] = Math.min(
        row[j]! + 1,
        next[j - 1]! + 1,
        row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1),
      );
    }
    row = next;
  }
  return row[b.length]!;
}

/**
 * From a file to a configuration: YAML, then `${…}`, then the schema, then the
 * files that it names. All problems are told at once, each with its place.
 *
 * @module
 */
import { dirname, resolve } from "node:path/posix";
import type { z } from "zod";
import { fromEnvironment, type Variables } from "./expand.ts";
import { hostName, PATHS, problemOfPath } from "./files.ts";
import { ConfigError, Problems } from "./problems.ts";
import { type Config, configSchema, contradictions } from "./schema.ts";
import { Source } from "./source.ts";

/** The largest file that is read as a configuration, in bytes. */
const MOST_BYTES = 1024 * 1024;

/**
 * Reads a configuration.
 *
 * @param path relative paths in it are relative to its directory
 * @param options.variables for `${NAME}`; the environment if left out
 * @throws {ConfigError} with every problem as `FILE:LINE:COLUMN: KEY: PROBLEM`
 */
export async function loadConfig(
  path: string,
  { variables = fromEnvironment }: { variables?: Variables } = {},
): Promise<Config> {
  const source = new Source(await read(path));
  const problems = new Problems(path, source);
  // What cannot be parsed has values in wrong places: more would mislead.
  if (source.isBroken) problems.throwIfAny();
  source.expand(variables);
  const value = source.toValue();
  const { success, data, error } = configSchema.safeParse(value, {
    reportInput: true,
  });
  for (const issue of error?.issues ?? []) problems.addIssue(issue);
  for (const { path, message } of contradictions(value)) {
    problems.add(path, message);
  }
  const directory = dirname(path);
  for (const { section, key, kind } of PATHS) {
    const named = memberOf(memberOf(value, section), key);
    if (typeof named !== "string" || named === "") continue;
    const problem = await problemOfPath(named, { kind, directory });
    if (problem !== null) problems.add([section, key], problem);
  }
  const host = await hostName();
  if (
    host === null &&
    memberOf(memberOf(value, "worker"), "worker_id") === undefined
  ) {
    problems.add(
      ["worker", "worker_id"],
      "is required here, since /etc/hostname gives no name that could be the default",
    );
  }
  problems.throwIfAny();
  if (!success) throw new Error("a problem without a message");
  return freeze(
    complete(data, { directory, workerId: data.worker.worker_id ?? host! }),
  );
}

async function read(path: string): Promise<string> {
  let reason;
  try {
    const { size, isDirectory } = await Deno.stat(path);
    if (!isDirectory && size <= MOST_BYTES) {
      return await Deno.readTextFile(path);
    }
    reason = isDirectory ? "it is a directory" : "it is larger than 1 MiB";
  } catch (error) {
    reason = error instanceof Deno.errors.NotFound
      ? "there is no such file; name one with -c FILE, or begin with a copy of config.example.yaml"
      : (error as Error).message;
  }
  throw new ConfigError(`Cannot read the configuration "${path}": ${reason}`);
}

/** Fills in what depends on other keys, or on the host. */
function complete(
  { mqtt, worker, ...rest }: z.output<typeof configSchema>,
  { directory, workerId }: { directory: string; workerId: string },
): Config {
  const absolute = (path: string) => resolve(directory, path);
  return {
    ...rest,
    mqtt: {
      ...mqtt,
      port: mqtt.port ?? (mqtt.tls_enabled ? 8883 : 1883),
      ...(mqtt.tls_ca_cert !== undefined &&
        { tls_ca_cert: absolute(mqtt.tls_ca_cert) }),
      ...(mqtt.tls_client_cert !== undefined &&
        { tls_client_cert: absolute(mqtt.tls_client_cert) }),
      ...(mqtt.tls_client_key !== undefined &&
        { tls_client_key: absolute(mqtt.tls_client_key) }),
    },
    worker: {
      ...worker,
      worker_id: workerId,
      playbook_directory: absolute(worker.playbook_directory),
      inventory_directory: absolute(
        worker.inventory_directory ?? worker.playbook_directory,
      ),
    },
  };
}

/** A member of what may be anything. */
function memberOf(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null &&
      Object.hasOwn(value, name)
    ? (value as Record<string, unknown>)[name]
    : undefined;
}

function freeze<T extends object>(value: T): T {
  for (const inner of Object.values(value)) {
    if (typeof inner === "object" && inner !== null) freeze(inner);
  }
  return Object.freeze(value);
}

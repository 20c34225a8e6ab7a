/**
 * What a client needs to know: the broker and the group. It comes from flags,
 * or from a worker's configuration, of which everything else is passed over: a
 * client need not see the worker's playbooks and keys.
 *
 * @module
 */
import { dirname, resolve } from "node:path/posix";
import { z } from "zod";
import { type Broker, brokerOf } from "./broker.ts";
import { environmentOf, type Variables } from "./expand.ts";
import { namedPaths, problemOfPath } from "./files.ts";
import { completeMqtt, readConfig } from "./read.ts";
import { hostAndPort, missing } from "./permissions.ts";
import { ConfigError, Problems } from "./problems.ts";
import { contradictions, sections } from "./schema.ts";
import { ConfigSource } from "./source.ts";

/** What the command line says; flags count for more than the configuration. */
export interface ClientFlags {
  /** The configuration, where one is named. */
  config?: string;
  /** `mqtt.host`; with it no configuration is needed. */
  host?: string;
  /** `mqtt.port`. */
  port?: string;
  /** `mqtt.username`. */
  username?: string;
  /** The variable of the environment that has `mqtt.password`. */
  passwordEnv?: string;
  /** `mqtt.tls_enabled`. */
  tls?: boolean;
  /** `mqtt.tls_ca_cert`, which switches TLS on. */
  ca?: string;
  /** `worker.group_name`. */
  group?: string;
  /** `worker.topic_prefix`. */
  prefix?: string;
}

/** Where a client's group is. */
export interface ClientPlace {
  broker: Broker;
  /** The name of the group. */
  group: string;
  /** What its topics begin with. */
  prefix: string;
}

/** The name of a flag by the key whose value it gives. */
const FLAGS: Record<string, string> = {
  "mqtt.host": "--host",
  "mqtt.port": "--port",
  "mqtt.username": "--username",
  "mqtt.password": "--password-env",
  "mqtt.tls_enabled": "--tls",
  "mqtt.tls_ca_cert": "--ca",
  "worker.group_name": "--group",
  "worker.topic_prefix": "--prefix",
};

/** The group of a client that is told the broker and nothing else. */
const DEFAULT_GROUP = "default";

const STARTED = "this";

/** What says where the group is, and its parts of a configuration. */
export const placeSchema = z.strictObject({
  mqtt: sections.mqtt,
  worker: z.strictObject({
    group_name: sections.worker.shape.group_name,
    topic_prefix: sections.worker.shape.topic_prefix,
  }),
});

/** The same, as `ConfigSource.keepOnly()` wants it. */
export const PLACE = {
  mqtt: "all",
  worker: Object.keys(placeSchema.shape.worker.shape),
} as const;

/**
 * Reads the configuration and the flags.
 *
 * @param options.variables for `${NAME}`; the environment if left out
 * @throws {ConfigError} with every problem, or the permission that is missing
 */
export async function loadClient(
  flags: ClientFlags,
  { variables = environmentOf(STARTED) }: { variables?: Variables } = {},
): Promise<ClientPlace> {
  const isFlagsOnly = flags.host !== undefined && flags.config === undefined;
  const file = flags.config ?? "config.yaml";
  const source = new ConfigSource(
    isFlagsOnly
      ? `worker: { group_name: ${DEFAULT_GROUP} }`
      : await readConfig(file, {
        absent: "name one with -c FILE, or the broker with --host",
        started: STARTED,
      }),
  );
  const problems = new Problems(file, source);
  if (source.isBroken) throw new ConfigError(problems.lines().join("\n"));
  source.keepOnly(PLACE);
  source.expand(variables);
  const given = fromFlags(flags, variables);
  const value = overlaid(source.toValue(), given.values);
  // What a flag says is wrong there, and not in the file.
  const wrong = [...given.problems];
  const add = (path: readonly PropertyKey[], message: string) => {
    const key = path.map(String).join(".");
    if (!isFlagsOnly && !Object.hasOwn(given.values, key)) {
      problems.add(path, message);
    } else {
      const flag = FLAGS[key] ?? key;
      if (wrong.some((line) => line.startsWith(`${flag}: `))) return;
      wrong.push(`${flag}: ${withFlags(message)}`);
    }
  };
  const { success, data, error } = placeSchema.safeParse(value, {
    reportInput: true,
  });
  for (const issue of error?.issues ?? []) {
    const key = issue.path.map(String).join(".");
    if (Object.hasOwn(given.values, key)) add(issue.path, issue.message);
    else problems.addIssue(issue);
  }
  for (const { path, message } of contradictions(value)) add(path, message);
  const directory = dirname(file);
  for (const { at, path, kind } of namedPaths(value)) {
    const problem = await problemOfPath(path, {
      kind,
      directory,
      started: STARTED,
    });
    if (problem !== null) add(at, problem);
  }
  const lines = [...wrong, ...problems.lines()];
  if (lines.length > 0) throw new ConfigError(lines.join("\n"));
  if (!success) throw new Error("a problem without a message");
  const mqtt = await completeMqtt(data.mqtt, directory);
  await mayConnect(hostAndPort(mqtt));
  return {
    broker: await brokerOf(mqtt),
    group: data.worker.group_name,
    prefix: data.worker.topic_prefix,
  };
}

/** The values that flags give, by their keys. */
function fromFlags(
  flags: ClientFlags,
  variables: Variables,
): { values: Record<string, unknown>; problems: string[] } {
  const problems: string[] = [];
  let password: string | undefined;
  if (flags.passwordEnv !== undefined) {
    const found = variables(flags.passwordEnv);
    if ("value" in found) password = found.value;
    else problems.push(`--password-env: ${found.missing}`);
  }
  const all = {
    "mqtt.host": flags.host,
    "mqtt.port": flags.port,
    "mqtt.username": flags.username,
    // Missing was said already.
    "mqtt.password": password ?? (problems.length > 0 ? "?" : undefined),
    "mqtt.tls_enabled": flags.tls || flags.ca !== undefined || undefined,
    "mqtt.tls_ca_cert": flags.ca === undefined ? undefined : resolve(flags.ca),
    "worker.group_name": flags.group,
    "worker.topic_prefix": flags.prefix,
  };
  const values = Object.entries(all).filter(([_, value]) =>
    value !== undefined
  );
  return { values: Object.fromEntries(values), problems };
}

/** A configuration with some values, named as `section.key`, replaced. */
function overlaid(config: unknown, values: Record<string, unknown>): unknown {
  // What is no mapping is for the schema to object to.
  const whole = { ...config as object } as Record<string, unknown>;
  for (const [key, value] of Object.entries(values)) {
    const [section, name] = key.split(".") as [string, string];
    whole[section] = { ...whole[section] as object, [name]: value };
    if (key === "mqtt.password") {
      delete (whole[section] as Record<string, unknown>).password_file;
    }
  }
  return whole;
}

/** A message about keys as one about the flags that give them. */
function withFlags(message: string): string {
  return message.replaceAll(
    /(mqtt|worker)\.[a-z_]+/g,
    (key) => FLAGS[key] ?? key,
  );
}

/** MQTT.js says nothing when the sandbox denies it the network. */
async function mayConnect(address: string): Promise<void> {
  const [denied] = await missing([{
    kind: "net",
    value: address,
    why: "to connect to the broker",
  }]);
  if (!denied) return;
  throw new ConfigError(
    `Deno's sandbox does not allow what is needed ${denied.why}; start ${STARTED} with --allow-net=${denied.value}`,
  );
}

/**
 * What the page needs to know. It comes from a worker's configuration, of which
 * the page reads the broker, the group and its own section: it need not see the
 * worker's playbooks and keys.
 *
 * @module
 */
import { dirname, resolve } from "node:path/posix";
import type { z } from "zod";
import { type Broker, brokerOf } from "./broker.ts";
import { PLACE, placeSchema } from "./client.ts";
import { environmentOf, type Variables } from "./expand.ts";
import { namedPaths, problemOfPath } from "./files.ts";
import { completeMqtt, readConfig } from "./read.ts";
import { collector, hostAndPort, type Need } from "./permissions.ts";
import { ConfigError, Problems } from "./problems.ts";
import {
  type Config,
  configSchema,
  contradictions,
  sections,
} from "./schema.ts";
import type { SecretFile } from "./secret_files.ts";
import { ConfigSource } from "./source.ts";
import { addressOf } from "./values.ts";

const STARTED = "the page";

const webConfigSchema = placeSchema.extend({
  web: sections.web,
  log_level: configSchema.shape.log_level,
  log_format: configSchema.shape.log_format,
});

/** What the page needs to know; its paths are absolute. */
export interface WebPlace {
  broker: Broker;
  /** The name of the group. */
  group: string;
  /** What its topics begin with. */
  prefix: string;
  web: Omit<Config["web"], "database"> & {
    database: string;
    /** Where it listens. */
    address: { hostname: string; port: number };
    /** As it is put before a path: without a `/` at its end. */
    base: string;
  };
  log: Pick<Config, "log_level" | "log_format">;
  /** What must not be in any log. */
  secrets: string[];
  /** Files with secrets in them. */
  secretFiles: SecretFile[];
  /** What it needs of Deno's sandbox. */
  needs: Need[];
  /** Whether the configuration names variables of the environment. */
  namesVariables: boolean;
}

/**
 * Reads the configuration.
 *
 * @param options.forThePage false: only its files matter, which need not be there
 * @throws {ConfigError} with every problem
 */
export async function loadWeb(
  file: string,
  { variables = environmentOf(STARTED), forThePage = true }: {
    variables?: Variables;
    forThePage?: boolean;
  } = {},
): Promise<WebPlace> {
  const names = new Set<string>();
  const source = new ConfigSource(
    await readConfig(file, {
      absent: "name one with -c FILE",
      started: STARTED,
    }),
  );
  const problems = new Problems(file, source);
  if (source.isBroken) throw new ConfigError(problems.lines().join("\n"));
  source.keepOnly({
    ...PLACE,
    web: "all",
    log_level: "all",
    log_format: "all",
  });
  source.expand((name) => {
    names.add(name);
    return variables(name);
  });
  const value = source.toValue();
  const { success, data, error } = webConfigSchema.safeParse(value, {
    reportInput: true,
  });
  for (const issue of error?.issues ?? []) problems.addIssue(issue);
  for (const { path, message } of contradictions(value)) {
    problems.add(path, message);
  }
  const directory = dirname(file);
  if (success && data.web.database === undefined) {
    problems.add(
      ["web", "database"],
      "is required for the page: a file in a directory where it may write, such as /var/lib/ansible-worker-web/web.db",
    );
  }
  if (success && forThePage) {
    for (const { path, message } of openDoors(data.web)) {
      problems.add(path, message);
    }
    for (const { at, path, kind } of namedPaths(value, { web: true })) {
      const problem = await problemOfPath(path, {
        kind,
        directory,
        started: STARTED,
      });
      if (problem !== null) problems.add(at, problem);
    }
    if (data.web.database !== undefined) {
      const problem = await problemOfPath(
        dirname(resolve(directory, data.web.database)),
        { kind: "directory", directory, started: STARTED },
      );
      if (problem !== null) problems.add(["web", "database"], problem);
    }
  }
  const lines = problems.lines();
  if (lines.length > 0) throw new ConfigError(lines.join("\n"));
  if (!success) throw new Error("a problem without a message");
  const { web, worker, log_level, log_format } = data;
  const mqtt = await completeMqtt(data.mqtt, directory);
  const absolute = (path: string) => resolve(directory, path);
  const place: Omit<WebPlace, "needs"> = {
    broker: await brokerOf(mqtt),
    group: worker.group_name,
    prefix: worker.topic_prefix,
    web: {
      ...web,
      database: absolute(web.database!),
      ...(web.users !== undefined && { users: absolute(web.users) }),
      ...(web.signing_key !== undefined &&
        { signing_key: absolute(web.signing_key) }),
      address: addressOf(web.listen)!,
      base: (web.base_path ?? "").replace(/\/$/, ""),
    },
    log: { log_level, log_format },
    secrets: mqtt.password === undefined ? [] : [mqtt.password],
    namesVariables: names.size > 0,
    secretFiles: secretFilesOf({ mqtt, web, file, source, absolute }),
  };
  const needs = await webNeedsOf(place, {
    file,
    variables: [...names],
    files: namedPaths(value, { web: true }).map(({ path }) => absolute(path)),
  });
  return { ...place, needs };
}

/** Whether others than those of this host could come, and nobody asks who they are. */
function openDoors(
  web: z.output<typeof sections.web>,
): { path: string[]; message: string }[] {
  const { hostname } = addressOf(web.listen)!;
  const isLoopback = hostname === "::1" || hostname.startsWith("127.");
  if (isLoopback || web.users !== undefined || web.trusted_proxy) return [];
  return [{
    path: ["web", "listen"],
    message:
      'is reached from other hosts, and nobody would have to log in: name web.users (made by "ansible-worker web passwd"), or web.trusted_proxy, or listen on 127.0.0.1',
  }];
}

function secretFilesOf({ mqtt, web, file, source, absolute }: {
  mqtt: Config["mqtt"];
  web: z.output<typeof sections.web>;
  file: string;
  source: ConfigSource;
  absolute(path: string): string;
}): SecretFile[] {
  const found: SecretFile[] = [];
  const add = (key: string, path: string | undefined) => {
    if (path !== undefined) found.push({ path: absolute(path), key });
  };
  if (source.isWritten(["mqtt", "password"])) {
    found.push({ path: file, key: "mqtt.password" });
  }
  add("mqtt.password_file", mqtt.password_file);
  add("mqtt.tls_client_key", mqtt.tls_client_key);
  add("web.signing_key", web.signing_key);
  add("web.users", web.users);
  return found;
}

/** Variables by which a service manager tells what it wants to hear. */
const SERVICE = ["CREDENTIALS_DIRECTORY", "JOURNAL_STREAM"];

/**
 * What the page needs of Deno's sandbox, and nothing else: it runs no program,
 * and writes its database alone.
 *
 * @param options.file the configuration itself
 */
async function webNeedsOf(
  { broker, web }: Pick<WebPlace, "broker" | "web">,
  options: {
    file: string;
    variables: readonly string[];
    files: readonly string[];
  },
): Promise<Need[]> {
  const { add, needs, read } = collector();
  add("net", hostAndPort(broker), "to connect to the broker");
  const { hostname: host, port } = web.address;
  add("net", hostAndPort({ host, port }), "to serve the page");
  await read(resolve(options.file), "to read the configuration");
  await read(dirname(web.database), "to see whether the database can be there");
  for (const path of options.files) {
    await read(path, "to read a file that the configuration names");
  }
  // SQLite keeps two files beside it.
  for (const path of ["", "-wal", "-shm", "-journal"]) {
    const file = `${web.database}${path}`;
    add("read", file, "to read the database");
    add("write", file, "to write the database");
  }
  for (const name of options.variables) {
    add("env", name, "to fill in a value of the configuration");
  }
  for (const name of SERVICE) {
    add("env", name, "to know what the service manager wants, if there is one");
  }
  return needs;
}

/**
 * From a file to a configuration: YAML, then `${…}`, then the schema, then the
 * files that it names. All problems are reported at once, each with its place.
 *
 * @module
 */
import { dirname, normalize, resolve } from "node:path/posix";
import type { z } from "zod";
import { fromEnvironment, type Variables } from "./expand.ts";
import {
  hasContent,
  HOST_NAME_FILE,
  hostName,
  memberAt,
  namedPaths,
  passwordIn,
  problemOfKey,
  problemOfPath,
  problemOfTemplatePath,
  templatePaths,
} from "./files.ts";
import { ConfigError, Problems } from "./problems.ts";
import { type Config, configSchema, contradictions } from "./schema.ts";
import { completeMqtt, readConfig } from "./read.ts";
import { templateFaults } from "../templates/check.ts";
import { type SecretFile, secretFiles } from "./secret_files.ts";
import { ConfigSource } from "./source.ts";

/** A configuration, and what it takes to read it. */
export interface Loaded {
  /** The configuration. */
  config: Config;
  /** The variables that it names. */
  variables: string[];
  /** The files that have to be there, beside itself. */
  files: string[];
  /** Files with secrets in them; itself, if a password is written in it. */
  secretFiles: SecretFile[];
}

/**
 * Reads a configuration.
 *
 * @param path relative paths in it are relative to its directory
 * @param options.variables for `${NAME}`; the environment if left out
 * @throws {ConfigError} with every problem as `FILE:LINE:COLUMN: KEY: PROBLEM`
 */
export async function loadConfig(
  path: string,
  options: { variables?: Variables } = {},
): Promise<Config> {
  return (await load(path, options)).config;
}

/** The same, and says what it took. */
export async function load(
  path: string,
  options: { variables?: Variables } = {},
): Promise<Loaded> {
  return await loadText(await readConfig(path), { ...options, path });
}

/**
 * The same, of a text that is at hand.
 *
 * @param options.path where it would be
 */
export async function loadText(
  text: string,
  options: { path: string; variables?: Variables },
): Promise<Loaded> {
  const { loaded, problems } = await inspectText(text, options);
  if (problems.length > 0) throw new ConfigError(problems.join("\n"));
  if (!loaded) throw new Error("a problem without a message");
  return loaded;
}

/**
 * Reads a configuration for whoever wants to go on although it has problems.
 *
 * @returns the problems; and the configuration, if it is wrong in nothing but
 * files that it names
 * @throws {ConfigError} there is no configuration to be read
 */
export async function inspect(
  path: string,
  options: { variables?: Variables } = {},
): Promise<Inspected> {
  return await inspectText(await readConfig(path), { ...options, path });
}

/** What came of reading a configuration. */
export interface Inspected {
  /** It, if it can be used. */
  loaded: Loaded | null;
  /** What is wrong. */
  problems: string[];
}

async function inspectText(
  text: string,
  { path, variables = fromEnvironment }: {
    path: string;
    variables?: Variables;
  },
): Promise<Inspected> {
  const names = new Set<string>();
  const files: string[] = [];
  const source = new ConfigSource(text);
  const problems = new Problems(path, source);
  // What cannot be parsed has values in wrong places: more would mislead.
  if (source.isBroken) return { loaded: null, problems: problems.lines() };
  source.expand((name) => {
    names.add(name);
    return variables(name);
  });
  const value = source.toValue();
  const { success, data, error } = configSchema.safeParse(value, {
    reportInput: true,
  });
  for (const issue of error?.issues ?? []) problems.addIssue(issue);
  let contradicts = false;
  for (const { path, message } of contradictions(value)) {
    problems.add(path, message);
    contradicts = true;
  }
  const directory = dirname(path);
  for (const { at, path: named, kind } of namedPaths(value)) {
    const problem = await problemOfPath(named, { kind, directory });
    files.push(resolve(directory, named));
    if (problem !== null) problems.add(at, problem);
    else if (at[0] === "security") {
      const wrong = await problemOfKey(resolve(directory, named));
      if (wrong !== null) problems.add(at, wrong);
    } else if (
      at[1] === "password_file" &&
      await passwordIn(resolve(directory, named)) === ""
    ) {
      problems.add(
        at,
        `there is no password in "${resolve(directory, named)}"`,
      );
    }
  }
  const directories = {
    playbook: memberAt(value, ["worker", "playbook_directory"]),
    inventory: memberAt(value, ["worker", "inventory_directory"]) ??
      memberAt(value, ["worker", "playbook_directory"]),
  };
  const isFetched = hasContent(value);
  for (const named of templatePaths(value)) {
    const root = directories[named.root];
    // What is wrong with the directory itself is said already.
    if (typeof root !== "string") continue;
    if (
      !isFetched && await problemOfPath(root, { kind: "directory", directory })
    ) continue;
    const problem = await problemOfTemplatePath(
      named,
      isFetched ? null : resolve(directory, root),
    );
    if (problem !== null) problems.add(named.at, problem);
  }
  for (const { path, message } of await templateFaults(value)) {
    problems.add(path, message);
    contradicts = true;
  }
  let workerId = memberAt(value, ["worker", "worker_id"]);
  if (workerId === undefined) {
    files.push(HOST_NAME_FILE);
    workerId = await hostName();
    if (workerId === null) {
      problems.add(
        ["worker", "worker_id"],
        `is required here, since ${HOST_NAME_FILE} gives no name that could be the default`,
      );
    }
  }
  const usable = success && workerId !== null && !contradicts &&
    source.problems.length === 0;
  if (!usable) return { loaded: null, problems: problems.lines() };
  const config = freeze(
    await complete(data, { directory, workerId: workerId as string }),
  );
  return {
    problems: problems.lines(),
    loaded: {
      config,
      variables: [...names],
      files,
      secretFiles: secretFiles(config, { path, source }),
    },
  };
}

/** Fills in what depends on other keys, or on the host. */
async function complete(
  { mqtt, worker, content, policy, security, ansible, ...rest }: z.output<
    typeof configSchema
  >,
  { directory, workerId }: { directory: string; workerId: string },
): Promise<Config> {
  const absolute = (path: string) => resolve(directory, path);
  // In a checkout, wherever that will be.
  const place = content === null ? absolute : normalize;
  return {
    ...rest,
    mqtt: await completeMqtt(mqtt, directory),
    worker: {
      ...worker,
      worker_id: workerId,
      task_timeout: Math.min(worker.task_timeout, policy.max_timeout),
      playbook_directory: place(worker.playbook_directory),
      inventory_directory: place(
        worker.inventory_directory ?? worker.playbook_directory,
      ),
      ...(worker.journal !== undefined &&
        { journal: absolute(worker.journal) }),
    },
    content: content && await completeContent(content, directory),
    policy,
    security: security.trusted_keys === undefined ? {} : {
      trusted_keys: security.trusted_keys.map(({ id, file }) => ({
        id,
        file: absolute(file),
      })),
    },
    ansible: {
      ...ansible,
      ...(ansible.vault_password_file !== undefined &&
        { vault_password_file: absolute(ansible.vault_password_file) }),
      ...(ansible.private_key_file !== undefined &&
        { private_key_file: absolute(ansible.private_key_file) }),
      vault_identity_list: ansible.vault_identity_list.map((entry) => {
        const at = entry.indexOf("@");
        return entry.slice(0, at + 1) + absolute(entry.slice(at + 1));
      }),
    },
  };
}

/** Fills in what is relative to the file, and the password. */
async function completeContent(
  content: NonNullable<z.output<typeof configSchema>["content"]>,
  directory: string,
): Promise<NonNullable<Config["content"]>> {
  const absolute = (path: string | undefined) =>
    path && resolve(directory, path);
  const { repository } = content;
  const password_file = absolute(content.password_file);
  const password = content.password ??
    (password_file && await passwordIn(password_file) || undefined);
  return {
    ...content,
    // A path, and not HOST:PATH (git-clone(1)).
    repository: /^[^/]*:/.test(repository)
      ? repository
      : resolve(directory, repository),
    directory: resolve(directory, content.directory),
    password,
    password_file,
    ssh_key_file: absolute(content.ssh_key_file),
    ssh_known_hosts_file: absolute(content.ssh_known_hosts_file),
    trusted_signers: absolute(content.trusted_signers),
  };
}

function freeze<T extends object>(value: T): T {
  for (const inner of Object.values(value)) {
    if (typeof inner === "object" && inner !== null) freeze(inner);
  }
  return Object.freeze(value);
}

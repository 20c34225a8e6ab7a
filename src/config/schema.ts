/**
 * Every key of the configuration, with its default and its limits.
 *
 * A new section is one more object here, its keys in `config.example.yaml`, and
 * its paths, if it has any, in `files.ts`; places, suggestions and messages
 * follow from the schema.
 *
 * @module
 */
import { isIP } from "node:net";
import { z } from "zod";
import { isDecoderKey } from "../messages/variable_names.ts";
import { MAX_TIMEOUT_SECONDS } from "../messages/task_request.ts";
import { lockNameSchema } from "../messages/lock.ts";
import { SETTABLE_FIELDS } from "../messages/template.ts";
import {
  flag,
  flagFromText,
  gitName,
  host,
  listenAddress,
  oneOf,
  seconds,
  text,
  topicLevel,
  topicPrefix,
  variableName,
  whole,
} from "./values.ts";

/**
 * The largest number of tasks that may wait: all their requests are in memory,
 * and are taken over when the worker is gone.
 */
const MAX_QUEUED = 65_000;

/** The longest interval that MQTT can say (3.1.2.11.2); one more is "for ever". */
const MAX_SECONDS = 4_294_967_294;

/**
 * The longest message expiry that brokers were seen to count, in seconds: one
 * that counts milliseconds in 32 bits with a sign drops at once what has more.
 */
export const MAX_COUNTED_EXPIRY = 2_147_483;

/** The largest worker.output_limit: 1 GiB. */
const MAX_OUTPUT_BYTES = 1024 ** 3;

/** Variables that decide whether a launcher works. */
const RESERVED_VARIABLES: ReadonlySet<string> = new Set([
  "ANSIBLE_WORKER_JOURNAL",
  "ANSIBLE_WORKER_LAUNCHER",
  "ANSIBLE_WORKER_NOTIFIER",
  "LC_ALL",
]);

/**
 * Variables of the dynamic linker, with which Deno starts no program unless it
 * may start all: they would put any code into it.
 */
const LINKER_VARIABLE = /^(LD|DYLD)_/;

/** Keys of `mqtt` that have to be there both, or not at all. */
const PAIRS = [
  ["tls_client_cert", "tls_client_key"],
] as const;

/** Keys of `mqtt`, and of `content`, that give the password. */
const PASSWORDS = ["password", "password_file"] as const;

const mqtt = z.strictObject({
  host: host().describe("Name or address of the broker, nothing else."),
  port: whole(1, 65_535).optional().describe(
    "Its port. Default: 1883, or 8883 with TLS.",
  ),
  username: text().optional().describe(
    "The user name at the broker; only with a password.",
  ),
  password: text().optional().describe(
    "The password; best from a variable, as ${MQTT_PASSWORD}.",
  ),
  password_file: text().optional().describe(
    "File that has the password, such as a credential of systemd's: ${CREDENTIALS_DIRECTORY}/NAME; not together with password.",
  ),
  keepalive: whole(5, 65_535).default(60).describe(
    "Longest silence before the connection is checked, in seconds.",
  ),
  tls_enabled: flag().default(false).describe("TLS to the broker."),
  tls_ca_cert: text().optional().describe(
    "File with the authority that signed the broker's certificate, as PEM. Default: those that Deno brings along.",
  ),
  tls_client_cert: text().optional().describe(
    "File with a certificate of the worker's own, as PEM; only with its key.",
  ),
  tls_client_key: text().optional().describe(
    "File with the key of that certificate, as PEM.",
  ),
  websocket_path: text().optional().describe(
    "If set: MQTT over WebSocket, at this path.",
  ),
  session_expiry: whole(0, MAX_SECONDS).default(3600).describe(
    "How long the broker keeps the session of a worker that is away, and what comes for it meanwhile, in seconds. 0: not at all. Tasks that it has accepted are kept in any case.",
  ),
  reconnect_min: seconds(0.1, 3600).default(1).describe(
    "First wait between attempts to reconnect, in seconds.",
  ),
  reconnect_max: seconds(0.1, 86_400).default(60).describe(
    "Longest wait between attempts to reconnect, in seconds.",
  ),
}).meta({
  description: "The broker.",
  dependentRequired: Object.fromEntries([
    ...PAIRS.flatMap(([a, b]) => [[a, [b]], [b, [a]]]),
    ...PASSWORDS.map((key) => [key, ["username"]]),
  ]),
  dependentSchemas: {
    username: { anyOf: PASSWORDS.map((key) => ({ required: [key] })) },
  },
});

const worker = z.strictObject({
  group_name: topicLevel().describe(
    "The group, whose workers share its tasks. One topic level.",
  ),
  worker_id: topicLevel().optional().describe(
    "Names the worker: stable, and unique in the group. Default: the name in /etc/hostname.",
  ),
  playbook_directory: text().describe(
    "Where playbooks are; also the working directory of every run. With content: in the repository.",
  ),
  inventory_directory: text().optional().describe(
    "Where inventories are. Default: the playbook directory. With content: in the repository.",
  ),
  topic_prefix: topicPrefix().default("ansible").describe(
    "What all topics begin with; may have several levels.",
  ),
  max_queue_size: whole(1, MAX_QUEUED).default(100).describe(
    "How many tasks may wait here.",
  ),
  when_full: oneOf(["reject", "wait"]).default("reject").describe(
    "What happens to a task that does not fit. reject: hand it to a worker that has room, or refuse it; wait: leave it with the broker.",
  ),
  max_concurrent_tasks: whole(1, 256).default(1).describe(
    "How many tasks run at once.",
  ),
  lock_by: oneOf(["inventory"]).optional().describe(
    "What a task that names no lock is locked by. inventory: no two tasks of the group run on one inventory at the same time; the same for all workers of a group. Default: nothing.",
  ),
  duplicate_window: seconds(0, MAX_SECONDS).default(3600).describe(
    "How long after it was accepted the id of a task that has started, or was cancelled, counts as the same request, in seconds. 0: only while it is queued or running.",
  ),
  journal: text().optional().describe(
    "A file of this worker's own, in which it writes down when a run begins and how it has ended, so that no power cut runs it twice. Its directory must be there. Default: none.",
  ),
  task_timeout: seconds(1, MAX_TIMEOUT_SECONDS).default(3600).describe(
    "Time limit of a task that does not ask for another one, in seconds.",
  ),
  kill_grace: seconds(0, 3600).default(10).describe(
    "Time between asking a run to end and killing it, in seconds.",
  ),
  shutdown_grace: seconds(0, 86_400).default(60).describe(
    "How long running tasks may go on after the first signal to stop, in seconds.",
  ),
  status_interval: seconds(0.05, 3600).default(1).describe(
    "Least time between two updates of a running task's status, in seconds.",
  ),
  status_retention: whole(0, MAX_SECONDS).default(2_073_600).describe(
    "How long the broker keeps a final status, in seconds. 0: for ever. Some brokers cannot count more than 2147483 s, and drop what has more at once.",
  ),
  publish_events: flag().default(false).describe(
    "Publish an event for every host result.",
  ),
  publish_output: flag().default(false).describe(
    "Publish what ansible-playbook prints.",
  ),
  output_limit: whole(1024, MAX_OUTPUT_BYTES).default(10 * 1024 * 1024)
    .describe("How much of it is published of one task, in bytes."),
}).meta({ description: "This worker, and its group." });

/** Whoever writes this file decides what a message may ask for. */
const policy = z.strictObject({
  playbooks: z.array(text(), "must be a list of patterns").optional().describe(
    "Patterns of the playbooks that may be run, relative to their directory: * is anything within one level, ** any number of levels, {a,b} either. Default: all.",
  ),
  inventories: z.array(text(), "must be a list of patterns").optional()
    .describe(
      "Patterns of the inventories that may be used; only what is listed may be a program. Default: all.",
    ),
  inline_inventory: flag().default(true).describe(
    "Whether an inventory may be a list of hosts, with a comma.",
  ),
  extra_vars_allow: z.array(
    variableName().refine(
      (name) => !isDecoderKey(name),
      "cannot be allowed: Ansible would take what is in it for something else than data",
    ),
    "must be a list of names of variables",
  ).default([]).describe(
    "Variables that may be passed although they mean something to Ansible. Many of those that begin with ansible_ can run any program on this host.",
  ),
  max_timeout: seconds(1, MAX_TIMEOUT_SECONDS).default(MAX_TIMEOUT_SECONDS)
    .describe("The longest time limit that may be asked for, in seconds."),
  max_forks: whole(1, 500).default(500).describe(
    "The most forks that may be asked for.",
  ),
  max_verbosity: whole(0, 6).default(6).describe(
    "The highest verbosity that may be asked for.",
  ),
  templates_only: flag().default(false).describe(
    "Refuse every request that names no template.",
  ),
  force_check_mode: flag().default(false).describe(
    "Run everything in check mode, whatever was asked for.",
  ),
  response_topics: z.array(text(), "must be a list of patterns").default([])
    .describe(
      "Patterns of the response topics that are answered on: * is anything within one level, ** any number of levels, {a,b} either. Topics of the group are not answered on, whatever is listed here.",
    ),
}).meta({ description: "What a message may ask for." });

const security = z.strictObject({
  trusted_keys: z.array(
    z.strictObject({
      id: text().max(200, "must be at most 200 characters").describe(
        "The id of the key, as in what it has signed.",
      ),
      file: text().describe("File with the public key, as PEM or JWK."),
    }),
    "must be a list of keys, each with an id and a file",
  ).min(
    1,
    "must have at least one key; without the list requests need no signature",
  )
    .refine(
      (keys) => new Set(keys.map(({ id }) => id)).size === keys.length,
      "has two keys with one id",
    ).optional().describe(
      "Requests and cancels have to be signed with one of these Ed25519 keys. Default: they need no signature.",
    ),
}).meta({ description: "Whom to trust." });

const ansible = z.strictObject({
  vault_password: text().optional().describe(
    "The password of what is encrypted with ansible-vault; best from a variable.",
  ),
  vault_password_file: text().optional().describe(
    "File that has this password, or program that prints it; not together with vault_password.",
  ),
  vault_identity_list: z.array(
    text().regex(
      /^[^@\s]+@(?!prompt)[^@]+$/,
      "must be LABEL@FILE",
    ),
    "must be a list of LABEL@FILE",
  ).default([]).describe("For other vault ids, each as LABEL@FILE."),
  private_key_file: text().optional().describe("The SSH key of the runs."),
  environment: z.record(
    variableName().refine(
      (name) => !RESERVED_VARIABLES.has(name),
      "is set by the worker",
    ).refine(
      (name) => !LINKER_VARIABLE.test(name),
      'cannot be set: Deno\'s sandbox starts no program with it; for modules set it in the playbook ("environment:" of a play), for Ansible itself in a script named ansible-playbook that comes first in PATH, or name the libraries in /etc/ld.so.conf.d',
    ),
    z.preprocess(
      (value) =>
        typeof value === "number" || typeof value === "boolean"
          ? String(value)
          : value,
      // deno-lint-ignore no-control-regex
      z.string("must be a string").regex(/^[^\u0000]*$/, "must have no NUL"),
    ).meta({ type: ["string", "number", "boolean"] }),
    "must be a mapping of names of variables to strings",
  ).default({}).describe(
    "Variables for the environment of the runs; whatever they start sees them.",
  ),
}).meta({ description: "What every run gets." });

const content = z.strictObject({
  repository: text().describe(
    "The repository, as git clone takes it: https://…, ssh://…, HOST:PATH, or a directory; without a password in it.",
  ),
  ref: gitName().default("HEAD").describe(
    "The branch, tag or commit that is run, and from which every other one that is asked for has to be reached. Default: the repository's own branch.",
  ),
  directory: text().describe(
    "Where the checkouts are kept: a directory of this worker's own, which it makes, and where it may write.",
  ),
  refresh: seconds(0, 86_400).default(60).describe(
    "Time between two looks at the repository, in seconds. 0: only at the start, and when a message asks for it.",
  ),
  requirements: flag().default(false).describe(
    "Install the roles and collections of requirements.yml into each checkout.",
  ),
  trusted_signers: text().optional().describe(
    "File with the keys by one of which a commit has to be signed: allowed signers of SSH (ssh-keygen(1)), or public keys of GPG, as --armor writes them. Default: commits need no signature.",
  ),
  keep: whole(1, 1000).default(3).describe(
    "How many checkouts are kept beside the one in use.",
  ),
  username: text().optional().describe(
    "The user name at the repository; only with a password.",
  ),
  password: text().optional().describe(
    "The password, or token; best from a variable.",
  ),
  password_file: text().optional().describe(
    "File that has the password; not together with password.",
  ),
  ssh_key_file: text().optional().describe(
    "The SSH key for the repository (a deploy key), without a passphrase. Default: what ssh uses by itself.",
  ),
  ssh_known_hosts_file: text().optional().describe(
    "File with the keys of the repository's host (ssh-keyscan). Default: what ssh uses by itself.",
  ),
}).meta({
  description: "Playbooks from a git repository. Default: from a directory.",
});

const metrics = z.strictObject({
  listen: listenAddress().optional().describe(
    "Where to listen for Prometheus and health checks, as HOST:PORT. Default: nowhere.",
  ),
}).meta({ description: "What is measured, and for whom." });

/** What a page may let people do. */
const WEB_ACTIONS = ["cancel", "submit"] as const;

/** The name of a header, as HTTP writes it. */
function headerName() {
  return text().regex(/^[A-Za-z0-9-]+$/, "must be the name of a header");
}

const web = z.strictObject({
  listen: listenAddress().default("127.0.0.1:8480").describe(
    "Where the page is, as HOST:PORT. Elsewhere than on loopback only with users or with a trusted proxy.",
  ),
  database: text().optional().describe(
    "The file that it keeps what it has seen in, in a directory that is there. Required for the page.",
  ),
  keep_days: whole(1, 36_500).default(90).describe(
    "How long a task is kept after it was last heard of, in days.",
  ),
  keep_bytes: whole(16 * 1024 * 1024, 1024 ** 4).default(1024 ** 3).describe(
    "How large the database may be, in bytes; beyond that the oldest tasks go.",
  ),
  allow: z.array(oneOf(WEB_ACTIONS), "must be a list of cancel and submit")
    .default([]).describe("What operators may do there: cancel, submit."),
  users: text().optional().describe(
    'File with the users, as "ansible-worker web passwd" writes it. Default: nobody has to log in.',
  ),
  trusted_proxy: z.strictObject({
    address: z.string("must be an address").regex(
      /^[0-9A-Fa-f:.]+$/,
      "must be an address, such as 127.0.0.1",
    ).refine(
      (value) => isIP(value) !== 0,
      "must be an address, such as 127.0.0.1",
    ).describe("The address that the proxy connects from."),
    user_header: headerName().describe("The header with the user's name."),
    role_header: headerName().optional().describe(
      "The header with the role: operator, or anything else for a viewer.",
    ),
  }).optional().describe(
    "A proxy that logs people in, and says who they are. Nobody else is let in then.",
  ),
  base_path: text().regex(
    /^(\/[A-Za-z0-9._~-]+)*\/?$/,
    "must be a path such as /ansible",
  ).optional().describe("What the paths of the page begin with. Default: /."),
  signing_key: text().optional().describe(
    'File with a private key, as "ansible-worker keygen" makes it: what the page publishes is signed.',
  ),
}).meta({ description: 'The page, which "ansible-worker web" serves.' });

const schedule = z.strictObject({
  cron: text().describe(
    "A cron expression: five fields, or six with seconds before them.",
  ),
  time_zone: text().default("UTC").describe(
    "The time zone that it is meant in, such as Europe/Berlin.",
  ),
  catch_up: flag().default(false).describe(
    "Whether a time at which no worker was there is made up for, once.",
  ),
}).meta({ description: "When it is run by itself. Default: never." });

/** Every key of a schedule. */
export const scheduleKeys = schedule.shape;

const template = z.strictObject({
  description: z.string("must be a string").max(
    1000,
    "must be at most 1000 characters",
  ).default("").describe("What it is for."),
  playbook: text().describe("The playbook, as in a request."),
  inventory: z.union(
    [
      text(),
      z.array(text()).min(1, "must not be empty").max(
        100,
        "must be at most 100",
      ),
    ],
    "must be an inventory, or a list of inventories",
  ).describe(
    "The inventory, or a list of inventories, as in a request.",
  ),
  extra_vars: z.record(
    variableName().refine((name) => !isDecoderKey(name), "is not allowed"),
    z.unknown(),
    "must be a mapping of names of variables to values",
  ).default({}).describe(
    "Variables that every run gets, and no request sets.",
  ),
  limit: text().optional().describe("Only the hosts of this pattern."),
  tags: z.array(text(), "must be a list of tags").optional().describe(
    "Only play tasks with one of these tags.",
  ),
  skip_tags: z.array(text(), "must be a list of tags").optional().describe(
    "No play tasks with one of these tags.",
  ),
  verbosity: whole(0, 6).optional().describe("How much Ansible prints."),
  check_mode: flag().optional().describe("Only see what would change."),
  diff_mode: flag().optional().describe("Show the changes in files."),
  forks: whole(1, 500).optional().describe(
    "How many hosts Ansible works on at once.",
  ),
  timeout: seconds(1, MAX_TIMEOUT_SECONDS).optional().describe(
    "Time limit of the run, in seconds.",
  ),
  revision: gitName().optional().describe(
    "The commit of the playbooks, or a tag, where they come from git. Default: what is current.",
  ),
  lock: lockNameSchema.optional().describe(
    "Tasks of the group with the same lock never run at the same time.",
  ),
  variables: z.record(z.string(), z.unknown(), "must be a JSON Schema")
    .optional().describe(
      "JSON Schema (draft 2020-12) of the variables that a request may set, with their defaults. Default: none may be set.",
    ),
  may_set: z.array(oneOf(SETTABLE_FIELDS), "must be a list of fields").default(
    [],
  ).describe("Other fields that a request may set."),
  schedule: schedule.optional(),
}).meta({ description: "What may be asked for by this name." });

/** A section that may be left out, or have only comments in it. */
function optional<T extends z.ZodType>(section: T) {
  return section.nullish().transform((value) => value ?? section.parse({}));
}

/** Every key of a template. */
export const templateKeys = template.shape;

/** Every section, by its name. */
export const sections = {
  mqtt,
  worker,
  content,
  policy,
  security,
  ansible,
  metrics,
  web,
};

/** The schema of a configuration; see `config.example.yaml`. */
export const configSchema = z.strictObject({
  mqtt,
  worker,
  content: content.nullish().transform((value) => value ?? null),
  policy: optional(policy),
  security: optional(security),
  ansible: optional(ansible),
  metrics: optional(metrics),
  web: optional(web),
  templates: z.record(
    topicLevel(),
    template,
    "must be a mapping of names to templates",
  ).describe(
    "What may be asked for by name, and what a request may say about it.",
  ).nullish().transform((value) => value ?? {}),
  log_level: oneOf(["DEBUG", "INFO", "WARN", "ERROR"]).default("INFO")
    .describe("The least that is logged."),
  log_format: oneOf(["text", "json"]).default("text").describe(
    "How it is logged, on standard error.",
  ),
}).meta({
  title: "Configuration of ansible-worker",
  description:
    "Times are in seconds. Relative paths are relative to the directory of the file. ${NAME} and ${NAME:-default} in a value are replaced from the environment.",
});

/**
 * What is wrong between keys that are right by themselves.
 *
 * It takes what has not been checked, so that it can be told together with what
 * the schema objects to: the schema's own refinements wait until all else is
 * right.
 */
export function contradictions(
  value: unknown,
): { path: [string, string]; message: string }[] {
  const section = (name: string) =>
    new Map<string, unknown>(
      Object.entries((value as Record<string, object> | null)?.[name] ?? {}),
    );
  const found: { path: [string, string]; message: string }[] = [];
  const limit = section("policy").get("max_timeout");
  const usual = section("worker").get("task_timeout");
  if (
    limit !== undefined && usual !== undefined && Number(usual) > Number(limit)
  ) {
    found.push({
      path: ["worker", "task_timeout"],
      message: "must not be more than policy.max_timeout",
    });
  }
  const secrets = section("ansible");
  if (secrets.has("vault_password") && secrets.has("vault_password_file")) {
    found.push({
      path: ["ansible", "vault_password"],
      message: "cannot be set together with ansible.vault_password_file",
    });
  }
  const given = section("mqtt");
  const add = (key: string, message: string) =>
    found.push({ path: ["mqtt", key], message });
  if (PASSWORDS.every((key) => given.has(key))) {
    add("password", "cannot be set together with mqtt.password_file");
  }
  if (given.has("username") && !PASSWORDS.some((key) => given.has(key))) {
    add("username", "needs mqtt.password or mqtt.password_file too");
  }
  for (const key of PASSWORDS) {
    if (given.has(key) && !given.has("username")) {
      add(key, "needs mqtt.username too");
    }
  }
  for (const [a, b] of PAIRS) {
    if (given.has(a) && !given.has(b)) add(a, `needs mqtt.${b} too`);
    if (given.has(b) && !given.has(a)) add(b, `needs mqtt.${a} too`);
  }
  if (flagFromText(given.get("tls_enabled") ?? false) === false) {
    for (const key of ["tls_ca_cert", "tls_client_cert", "tls_client_key"]) {
      if (given.has(key)) {
        add(key, "has no effect without mqtt.tls_enabled: true");
      }
    }
  }
  const page = section("web");
  if (page.has("users") && page.has("trusted_proxy")) {
    found.push({
      path: ["web", "users"],
      message:
        "cannot be set together with web.trusted_proxy, which says who the users are",
    });
  }
  found.push(...contentContradictions(section("content"), section("worker")));
  const min = Number(given.get("reconnect_min") ?? 1);
  const max = Number(given.get("reconnect_max") ?? 60);
  if (max < min) {
    const key = given.has("reconnect_max") ? "reconnect_max" : "reconnect_min";
    add(
      key,
      key === "reconnect_max"
        ? "must not be less than mqtt.reconnect_min"
        : "must not be more than mqtt.reconnect_max",
    );
  }
  return found;
}

/** What is wrong between the keys of `content`, and those that it changes. */
function contentContradictions(
  content: ReadonlyMap<string, unknown>,
  worker: ReadonlyMap<string, unknown>,
): { path: [string, string]; message: string }[] {
  if (content.size === 0) return [];
  const found: { path: [string, string]; message: string }[] = [];
  const add = (section: string, key: string, message: string) =>
    found.push({ path: [section, key], message });
  for (const key of ["playbook_directory", "inventory_directory"]) {
    const path = String(worker.get(key) ?? ".");
    if (path.startsWith("/") || path.split("/").includes("..")) {
      add(
        "worker",
        key,
        "must be a path in the repository, relative to its top, with content",
      );
    }
  }
  const repository = String(content.get("repository") ?? "");
  if (/^[a-z+]+:\/\/[^/@]*:[^/@]*@/i.test(repository)) {
    add(
      "content",
      "repository",
      "must have no password in it, since everybody could read it; set content.username and content.password",
    );
  } else if (repository.startsWith("-") || /^ext::/i.test(repository)) {
    add("content", "repository", "must be a repository, not a command");
  }
  const given = PASSWORDS.filter((key) => content.has(key));
  if (given.length > 1) {
    add(
      "content",
      "password",
      "cannot be set together with content.password_file",
    );
  }
  for (const key of given) {
    if (!/^https?:\/\//i.test(repository)) {
      add(
        "content",
        key,
        "has an effect with a repository at https:// only; for SSH set content.ssh_key_file",
      );
    } else if (!content.has("username")) {
      add(
        "content",
        key,
        "needs content.username too (for a token that has none: x-access-token)",
      );
    }
  }
  if (content.has("username") && given.length === 0) {
    add(
      "content",
      "username",
      "needs content.password or content.password_file too",
    );
  }
  return found;
}

type Parsed = z.output<typeof configSchema>;

/** A checked configuration, with everything filled in. Times are in seconds. */
export type Config = Readonly<{
  mqtt: Readonly<Omit<Parsed["mqtt"], "port"> & { port: number }>;
  worker: Readonly<
    & Omit<Parsed["worker"], "worker_id" | "inventory_directory">
    & { worker_id: string; inventory_directory: string }
  >;
  content: Readonly<NonNullable<Parsed["content"]>> | null;
  policy: Readonly<Parsed["policy"]>;
  security: Readonly<Parsed["security"]>;
  ansible: Readonly<Parsed["ansible"]>;
  metrics: Readonly<Parsed["metrics"]>;
  web: Readonly<Parsed["web"]>;
  templates: Readonly<Parsed["templates"]>;
  log_level: Parsed["log_level"];
  log_format: Parsed["log_format"];
}>;

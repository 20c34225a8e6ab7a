/**
 * Every key of the configuration, with its default and its limits.
 *
 * A new section is one more object here, its keys in `config.example.yaml`, and
 * its paths, if it has any, in `files.ts`; places, suggestions and messages
 * follow from the schema.
 *
 * @module
 */
import { z } from "zod";
import { isDecoded } from "../ansible/variable_names.ts";
import { MAX_TIMEOUT_SECONDS } from "../messages/task_request.ts";
import {
  flag,
  flagFromText,
  host,
  oneOf,
  seconds,
  text,
  topicLevel,
  topicPrefix,
  variableName,
  whole,
} from "./values.ts";

/**
 * The most tasks that may wait. With the slots and a margin for refusals it has
 * to fit into MQTT's Receive Maximum, a two byte integer (3.1.2.11.3).
 */
const MOST_QUEUED = 65_000;

/** The longest interval that MQTT can say (3.1.2.11.2); one more is "for ever". */
const MOST_SECONDS = 4_294_967_294;

/** Variables that decide whether a launcher works. */
const OURS: ReadonlySet<string> = new Set([
  "ANSIBLE_WORKER_LAUNCHER",
  "LC_ALL",
]);

const mqtt = z.strictObject({
  host: host(),
  port: whole(1, 65_535).optional(),
  username: text().optional(),
  password: text().optional(),
  keepalive: whole(5, 65_535).default(60),
  tls_enabled: flag().default(false),
  tls_ca_cert: text().optional(),
  tls_client_cert: text().optional(),
  tls_client_key: text().optional(),
  websocket_path: text().optional(),
  session_expiry: whole(0, MOST_SECONDS).default(3600),
  reconnect_min: seconds(0.1, 3600).default(1),
  reconnect_max: seconds(0.1, 86_400).default(60),
});

const worker = z.strictObject({
  group_name: topicLevel(),
  worker_id: topicLevel().refine(
    (id) => !id.endsWith("-control"),
    "must not end in -control, since that names a worker's second connection",
  ).optional(),
  playbook_directory: text(),
  inventory_directory: text().optional(),
  topic_prefix: topicPrefix().default("ansible"),
  max_queue_size: whole(1, MOST_QUEUED).default(100),
  when_full: oneOf(["reject", "wait"]).default("reject"),
  max_concurrent_tasks: whole(1, 256).default(1),
  duplicate_window: seconds(0, MOST_SECONDS).default(3600),
  task_timeout: seconds(1, MAX_TIMEOUT_SECONDS).default(3600),
  kill_grace: seconds(0, 3600).default(10),
  shutdown_grace: seconds(0, 86_400).default(60),
  status_interval: seconds(0.05, 3600).default(1),
  status_retention: whole(0, MOST_SECONDS).default(2_592_000),
  publish_events: flag().default(false),
  publish_output: flag().default(false),
});

/** Whoever writes this file decides what a message may ask for. */
const policy = z.strictObject({
  playbooks: z.array(text(), "must be a list of patterns").optional(),
  inventories: z.array(text(), "must be a list of patterns").optional(),
  inline_inventory: flag().default(true),
  extra_vars_allow: z.array(
    variableName().refine(
      (name) => !isDecoded(name),
      "cannot be allowed: Ansible would take what is in it for something else than data",
    ),
    "must be a list of names of variables",
  ).default([]),
  max_timeout: seconds(1, MAX_TIMEOUT_SECONDS).default(MAX_TIMEOUT_SECONDS),
  max_forks: whole(1, 500).default(500),
  max_verbosity: whole(0, 6).default(6),
  force_check_mode: flag().default(false),
});

const security = z.strictObject({
  trusted_keys: z.array(
    z.strictObject({
      id: text().max(200, "must be at most 200 characters"),
      file: text(),
    }),
    "must be a list of keys, each with an id and a file",
  ).min(
    1,
    "must have at least one key; without the list requests need no signature",
  )
    .refine(
      (keys) => new Set(keys.map(({ id }) => id)).size === keys.length,
      "has two keys with one id",
    ).optional(),
});

const ansible = z.strictObject({
  vault_password: text().optional(),
  vault_password_file: text().optional(),
  vault_identity_list: z.array(
    text().regex(
      /^[^@\s]+@(?!prompt)[^@]+$/,
      "must be LABEL@FILE",
    ),
    "must be a list of LABEL@FILE",
  ).default([]),
  private_key_file: text().optional(),
  environment: z.record(
    variableName().refine(
      (name) => !OURS.has(name),
      "is set by the worker",
    ),
    z.preprocess(
      (value) =>
        typeof value === "number" || typeof value === "boolean"
          ? String(value)
          : value,
      // deno-lint-ignore no-control-regex
      z.string("must be a text").regex(/^[^\u0000]*$/, "must have no NUL"),
    ),
    "must be a mapping of names of variables to texts",
  ).default({}),
});

/** A section that is left out, or has only comments in it. */
function emptyFromNothing(value: unknown): unknown {
  return value ?? {};
}

/** Every section, by its name. */
export const sections = { mqtt, worker, policy, security, ansible };

/** The schema of a configuration; see `config.example.yaml`. */
export const configSchema = z.strictObject({
  mqtt,
  worker,
  policy: z.preprocess(emptyFromNothing, policy),
  security: z.preprocess(emptyFromNothing, security),
  ansible: z.preprocess(emptyFromNothing, ansible),
  log_level: oneOf(["DEBUG", "INFO", "WARN", "ERROR"]).default("INFO"),
  log_format: oneOf(["text", "json"]).default("text"),
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
      message: "cannot be there together with ansible.vault_password_file",
    });
  }
  const given = section("mqtt");
  const add = (key: string, message: string) =>
    found.push({ path: ["mqtt", key], message });
  for (
    const [a, b] of [
      ["username", "password"],
      ["tls_client_cert", "tls_client_key"],
    ] as const
  ) {
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
  const least = Number(given.get("reconnect_min") ?? 1);
  const most = Number(given.get("reconnect_max") ?? 60);
  if (most < least) {
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

type Parsed = z.output<typeof configSchema>;

/** A checked configuration, with everything filled in. Times are in seconds. */
export type Config = Readonly<{
  mqtt: Readonly<Omit<Parsed["mqtt"], "port"> & { port: number }>;
  worker: Readonly<
    & Omit<Parsed["worker"], "worker_id" | "inventory_directory">
    & { worker_id: string; inventory_directory: string }
  >;
  policy: Readonly<Parsed["policy"]>;
  security: Readonly<Parsed["security"]>;
  ansible: Readonly<Parsed["ansible"]>;
  log_level: Parsed["log_level"];
  log_format: Parsed["log_format"];
}>;

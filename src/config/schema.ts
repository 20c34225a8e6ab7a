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

/** The longest time limit, as in a request. */
const SEVEN_DAYS = 7 * 24 * 3600;

/**
 * The most tasks that may wait. With the slots and a margin for refusals it has
 * to fit into MQTT's Receive Maximum, a two byte integer (3.1.2.11.3).
 */
const MOST_QUEUED = 65_000;

/** The longest interval that MQTT can say (3.1.2.11.2); one more is "for ever". */
const MOST_SECONDS = 4_294_967_294;

/** A whole number; also one in quotes, since `${…}` gives texts only. */
function whole(least: number, most: number) {
  const message = `must be a whole number of at least ${least}`;
  return z.preprocess(
    numberFromText,
    z.int(message).min(least, message)
      .max(most, `must be a whole number of at most ${most}`),
  );
}

/** Seconds, fractions allowed; also in quotes. */
function seconds(least: number, most: number) {
  const message = `must be a number of seconds of at least ${least}`;
  return z.preprocess(
    numberFromText,
    z.number(message).min(least, message)
      .max(most, `must be a number of seconds of at most ${most}`),
  );
}

/** True or false; also in quotes. */
function flag() {
  return z.preprocess(flagFromText, z.boolean("must be true or false"));
}

function numberFromText(value: unknown): unknown {
  return typeof value === "string" && /^\s*\d+(\.\d+)?\s*$/.test(value)
    ? Number(value)
    : value;
}

function flagFromText(value: unknown): unknown {
  const text = typeof value === "string" ? value.trim() : value;
  return text === "true" ? true : text === "false" ? false : value;
}

function text() {
  return z.string({
    error: ({ input }) =>
      typeof input === "number" || typeof input === "boolean"
        ? "must be a text; put it in quotes"
        : "must be a text",
  }).min(1, "must not be empty");
}

/** One level of a topic, and part of a client id. */
function topicLevel() {
  return text().max(64, "must be at most 64 characters").regex(
    /^[A-Za-z0-9._:@~-]+$/,
    "must be of A-Z a-z 0-9 . _ : @ ~ - only, since it is one topic level",
  );
}

/** Several levels of a topic. */
function topicPrefix() {
  return text().max(200, "must be at most 200 characters").regex(
    /^(?!\$)[^/+#\p{Cc}\p{Cs}]+(\/[^/+#\p{Cc}\p{Cs}]+)*$/u,
    "must be topic levels with / between them, none empty, without + and #, and not begin with $",
  );
}

/** The name of a host, or its address. */
function host() {
  return text().regex(
    /^([^\s:/@[\]]+|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*(%\w+)?)$/,
    "must be only the name or the address of the broker: no mqtt://, no user, no port, no brackets",
  );
}

function oneOf<const T extends readonly [string, ...string[]]>(names: T) {
  return z.enum(names, `must be one of ${names.join(", ")}`);
}

/** The schema of a configuration; see `config.example.yaml`. */
export const configSchema = z.strictObject({
  mqtt: z.strictObject({
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
  }),
  worker: z.strictObject({
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
    task_timeout: seconds(1, SEVEN_DAYS).default(3600),
    kill_grace: seconds(0, 3600).default(10),
    shutdown_grace: seconds(0, 86_400).default(60),
    status_interval: seconds(0.05, 3600).default(1),
    status_retention: whole(0, MOST_SECONDS).default(2_592_000),
    publish_events: flag().default(false),
    publish_output: flag().default(false),
  }),
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
  const mqtt = (value as { mqtt?: unknown } | null)?.mqtt;
  if (typeof mqtt !== "object" || mqtt === null) return [];
  const given = new Map<string, unknown>(Object.entries(mqtt));
  const found: { path: [string, string]; message: string }[] = [];
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
  log_level: Parsed["log_level"];
  log_format: Parsed["log_format"];
}>;

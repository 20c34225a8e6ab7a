/**
 * Every key of the configuration, with its default and its limits.
 *
 * @module
 */
import { z } from "zod";

/** The longest time limit, as in a request. */
const SEVEN_DAYS = 7 * 24 * 3600;

/** An integer, also one that stands in quotes because it came from `${…}`. */
function whole(least: number, most = Number.MAX_SAFE_INTEGER) {
  const limits = most === Number.MAX_SAFE_INTEGER
    ? `of at least ${least}`
    : `from ${least} to ${most}`;
  const message = `must be a whole number ${limits}`;
  return z.preprocess(
    fromText(Number),
    z.int(message).min(least, message).max(most, message),
  );
}

/** Seconds, fractions allowed. */
function seconds(least: number, most = Number.MAX_SAFE_INTEGER) {
  const message = most === Number.MAX_SAFE_INTEGER
    ? `must be a number of seconds of at least ${least}`
    : `must be a number of seconds from ${least} to ${most}`;
  return z.preprocess(
    fromText(Number),
    z.number(message).min(least, message).max(most, message),
  );
}

function flag() {
  return z.preprocess(
    fromText((text) =>
      text === "true" ? true : text === "false" ? false : text
    ),
    z.boolean("must be true or false"),
  );
}

/** `${…}` gives texts only; where a key wants something else, it is read. */
function fromText(read: (text: string) => unknown) {
  return (value: unknown) =>
    typeof value === "string" && value.trim() !== "" ? read(value) : value;
}

function text() {
  return z.string("must be a text").min(1, "must not be empty");
}

/** One level of a topic, and part of a client id. */
function topicLevel() {
  return text().max(64, "must be at most 64 characters").regex(
    /^[A-Za-z0-9._:@~-]+$/,
    "must be of A-Z a-z 0-9 . _ : @ ~ - only, since it is one topic level",
  );
}

function oneOf<const T extends readonly [string, ...string[]]>(names: T) {
  return z.enum(names, `must be one of ${names.join(", ")}`);
}

/** The schema of a configuration; see `config.example.yaml`. */
export const configSchema = z.strictObject({
  mqtt: z.strictObject({
    host: text(),
    port: whole(1, 65_535).optional(),
    username: text().optional(),
    password: text().optional(),
    keepalive: whole(5, 65_535).default(60),
    tls_enabled: flag().default(false),
    tls_ca_cert: text().optional(),
    tls_client_cert: text().optional(),
    tls_client_key: text().optional(),
    websocket_path: text().optional(),
    session_expiry: whole(0, 4_294_967_294).default(3600),
    reconnect_min: seconds(0.1, 3600).default(1),
    reconnect_max: seconds(0.1, 86_400).default(60),
  }),
  worker: z.strictObject({
    group_name: topicLevel(),
    worker_id: topicLevel().optional(),
    playbook_directory: text(),
    inventory_directory: text().optional(),
    topic_prefix: text().max(200, "must be at most 200 characters").regex(
      // deno-lint-ignore no-control-regex
      /^[^/+#$\u0000-\u001f][^/+#\u0000-\u001f]*(\/[^/+#\u0000-\u001f]+)*$/,
      "must be topic levels separated by /, without + and #, not beginning with $",
    ).default("ansible"),
    max_queue_size: whole(1, 65_000).default(100),
    when_full: oneOf(["reject", "wait"]).default("reject"),
    max_concurrent_tasks: whole(1, 256).default(1),
    duplicate_window: seconds(0).default(3600),
    task_timeout: seconds(1, SEVEN_DAYS).default(3600),
    kill_grace: seconds(0, 3600).default(10),
    shutdown_grace: seconds(0, 86_400).default(60),
    status_interval: seconds(0.05, 3600).default(1),
    status_retention: whole(0, 4_294_967_295).default(2_592_000),
    publish_events: flag().default(false),
    publish_output: flag().default(false),
  }),
  log_level: oneOf(["DEBUG", "INFO", "WARN", "ERROR"]).default("INFO"),
  log_format: oneOf(["text", "json"]).default("text"),
}).superRefine(({ mqtt }, context) => {
  const together = (a: keyof typeof mqtt, b: keyof typeof mqtt) => {
    for (const [here, other] of [[a, b], [b, a]] as const) {
      if (mqtt[here] !== undefined && mqtt[other] === undefined) {
        context.addIssue({
          code: "custom",
          path: ["mqtt", here],
          message: `needs mqtt.${other} too`,
        });
      }
    }
  };
  together("username", "password");
  together("tls_client_cert", "tls_client_key");
  for (
    const key of ["tls_ca_cert", "tls_client_cert", "tls_client_key"] as const
  ) {
    if (mqtt[key] !== undefined && !mqtt.tls_enabled) {
      context.addIssue({
        code: "custom",
        path: ["mqtt", key],
        message: "has no effect without mqtt.tls_enabled: true",
      });
    }
  }
  if (mqtt.reconnect_max < mqtt.reconnect_min) {
    context.addIssue({
      code: "custom",
      path: ["mqtt", "reconnect_max"],
      message: "must not be less than mqtt.reconnect_min",
    });
  }
});

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

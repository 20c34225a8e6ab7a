/**
 * The task request: what a controller publishes to have a playbook run.
 *
 * @module
 */
import { z } from "zod";
import { MAX_NESTING, nestingOf, parseExactly } from "./exact_json.ts";
import { lockNameSchema } from "./lock.ts";
import type { FieldError } from "./rejected.ts";
import { revisionSchema } from "./revision.ts";
import { templateNameSchema } from "./template.ts";

/** The largest request that is read, in bytes. */
export const MAX_REQUEST_BYTES = 1024 * 1024;

/** The longest time limit that a request may ask for, in seconds: seven days. */
export const MAX_TIMEOUT_SECONDS = 7 * 24 * 3600;

/** The longest id of a task, in characters. */
export const MAX_TASK_ID = 128;

/** One level of a topic, so neither `/` nor `+` nor `#`: 1 to 128 characters. */
export const taskIdSchema = z.string().regex(
  /^[A-Za-z0-9._:@~-]{1,128}$/,
  "must be 1 to 128 characters of A-Z a-z 0-9 . _ : @ ~ -",
).describe(
  "Names the task, for ever: the same id again is the same request. 1 to 128 characters, one topic level.",
);

/** The id of a worker's own run of a request for everyone. */
export function partId(taskId: string, workerId: string): string {
  return `${taskId}@${workerId}`;
}

/** A text that is passed on as one argument: not empty, no control characters. */
function argumentUpTo(characters: number) {
  return z.string().min(1, "must not be empty").max(characters).refine(
    // deno-lint-ignore no-control-regex
    (value) => !/[\u0000-\u001f\u007f]/.test(value),
    "must not contain control characters",
  );
}

const argument = argumentUpTo(4096);

/** The longest `limit`, in characters: many hosts, name by name. */
export const MAX_LIMIT = 64 * 1024;

/** The most inventories that one request may name. */
const MAX_INVENTORIES = 100;

/** One inventory, or several, as a request names them and a status repeats them. */
export const inventorySchema = z.union([
  argument,
  z.array(argument).min(1, "must not be empty").max(MAX_INVENTORIES),
]);

/** The inventories of a request, as a list. */
export function inventoriesOf(
  inventory: z.output<typeof inventorySchema>,
): string[] {
  return typeof inventory === "string" ? [inventory] : inventory;
}

/** `null` for an optional field is the same as leaving it out. */
function optional<T extends z.ZodType>(schema: T, description: string) {
  return schema.nullish().transform((value) => value ?? undefined)
    .describe(description);
}

/** In JSON Schema: anything but what is the same as leaving it out. */
const SAID = { not: { type: "null" }, description: "It is not null here." };

/** Whether a request has a field, or its template may have it. */
function says(field: "playbook" | "inventory") {
  return (request: Record<string, unknown>): boolean =>
    (request.template ?? request[field] ?? null) !== null;
}

/** What is said where neither has it, beside whatever else is wrong. */
function isRequired(field: "playbook" | "inventory") {
  return {
    path: [field],
    message: "is required",
    when: ({ value }: { value: unknown }) =>
      typeof value === "object" && value !== null,
  };
}

/** The schema of a task request, from which its JSON Schema is made too. */
export const taskRequestSchema = z.strictObject({
  task_id: taskIdSchema,
  template: optional(
    templateNameSchema,
    "The template that is asked for. It says the playbook and the inventory, and what else of these fields may be set.",
  ),
  playbook: optional(
    argument,
    "The playbook: a path relative to the worker's playbook directory. Required without a template.",
  ),
  inventory: optional(
    inventorySchema,
    "The inventory: a path relative to the worker's inventory directory, or names of hosts with a comma after or between them; or a list of these, as -i several times. Required without a template.",
  ),
  extra_vars: optional(
    z.record(z.string(), z.unknown()),
    "Extra variables, of any JSON type. They are data: a template in them is not evaluated. At most 32 levels deep.",
  ),
  limit: optional(
    argumentUpTo(MAX_LIMIT),
    "Only the hosts that this pattern selects, as with --limit.",
  ),
  tags: optional(
    z.array(argument).max(1000),
    "Only play tasks with one of these tags.",
  ),
  skip_tags: optional(
    z.array(argument).max(1000),
    "No play tasks with one of these tags.",
  ),
  verbosity: optional(
    z.int().min(0).max(6),
    "How much Ansible prints: the number of v's in -vvv. 0 if left out.",
  ),
  check_mode: optional(
    z.boolean(),
    "Only see what would change, as with --check. false if left out.",
  ),
  diff_mode: optional(
    z.boolean(),
    "Show the changes in files, as with --diff. false if left out.",
  ),
  forks: optional(
    z.int().min(1).max(500),
    "How many hosts Ansible works on at once. Ansible's own setting if left out.",
  ),
  timeout: optional(
    z.number().positive().max(MAX_TIMEOUT_SECONDS),
    "Time limit of the run, in seconds, at most seven days. The worker's task_timeout if left out.",
  ),
  revision: optional(
    revisionSchema,
    "The commit of the playbooks, where they come from git: a tag, or a commit's id, at least 4 characters of it, that can be reached from the worker's content.ref. What is current when the run starts if left out.",
  ),
  lock: optional(
    lockNameSchema,
    "Tasks of the group with the same lock never run at the same time. 1 to 128 characters, one topic level.",
  ),
}).refine(says("playbook"), isRequired("playbook"))
  .refine(says("inventory"), isRequired("inventory"))
  .meta({
    title: "Task request",
    description:
      "Asks for the run of a playbook. Published at QoS 2 (0 and 1 are taken too), not retained, at most 1 MiB. null is the same as leaving an optional field out.",
    // What the two refinements say.
    anyOf: [
      { required: ["template"], properties: { template: SAID } },
      {
        required: ["playbook", "inventory"],
        properties: { playbook: SAID, inventory: SAID },
      },
    ],
  });

/** A checked task request; optional fields that were `null` are undefined. */
export type TaskRequest = z.output<typeof taskRequestSchema>;

/** A request, with its extra variables in the form in which they travel. */
export interface AskedRequest {
  request: TaskRequest;
  /**
   * The extra variables as JSON, with each number as it was written: `1.0`
   * and 20 digits mean more to Ansible than a JavaScript number can say.
   */
  extraVars: string | null;
}

/** What came of reading a request. */
export type ParsedRequest =
  | ({ ok: true } & AskedRequest)
  | {
    ok: false;
    /** The id, where it could be read and is a valid one. */
    taskId: string | null;
    reason: "invalid_json" | "invalid_request" | "too_large";
    errors: FieldError[];
  };

/**
 * Reads a task request from the bytes of a message. It does not throw: what is
 * wrong with the bytes comes back as a list, one entry a problem.
 */
export function parseTaskRequest(payload: Uint8Array): ParsedRequest {
  const refuse = (
    reason: "invalid_json" | "invalid_request" | "too_large",
    errors: FieldError[],
    taskId: string | null = null,
  ): ParsedRequest => ({
    ok: false,
    taskId,
    reason,
    errors,
  });
  if (payload.length > MAX_REQUEST_BYTES) {
    return refuse("too_large", [{
      path: "",
      message:
        `must be at most ${MAX_REQUEST_BYTES} bytes, and has ${payload.length}`,
    }]);
  }
  let value: unknown;
  let text: string;
  if (nestingOf(payload) > MAX_NESTING) {
    return refuse("invalid_request", [{
      path: "",
      message: `must not be nested deeper than ${MAX_NESTING} levels`,
    }]);
  }
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(payload);
    value = JSON.parse(text);
  } catch (error) {
    const message = error instanceof SyntaxError
      ? error.message
      : "is not valid UTF-8";
    return refuse("invalid_json", [{ path: "", message: oneLine(message) }]);
  }
  if (hasPrototype(value)) {
    return refuse("invalid_request", [{
      path: "extra_vars.__proto__",
      message: "is not the name of a variable",
    }], idOf(value));
  }
  const result = taskRequestSchema.safeParse(value, {
    reportInput: true,
  });
  if (result.success) {
    const request = result.data;
    const extraVars = request.extra_vars ? extraVarsOf(text) : null;
    return { ok: true, request, extraVars };
  }
  return refuse(
    "invalid_request",
    result.error.issues.slice(0, 20).flatMap(fieldErrors),
    idOf(value),
  );
}

/**
 * Whether a variable has the one name that the schema passes over: it would
 * reach Ansible, and nothing of it would have been checked.
 */
function hasPrototype(value: unknown): boolean {
  const variables = (value as { extra_vars?: unknown } | null)?.extra_vars;
  return typeof variables === "object" && variables !== null &&
    Object.hasOwn(variables, "__proto__");
}

function idOf(value: unknown): string | null {
  const id = taskIdSchema.safeParse(
    (value as { task_id?: unknown } | null)?.task_id,
  );
  return id.success ? id.data : null;
}

function extraVarsOf(text: string): string {
  return JSON.stringify(
    (parseExactly(text) as { extra_vars: unknown }).extra_vars,
  );
}

function fieldErrors(issue: z.core.$ZodIssue): FieldError[] {
  const path = issue.path.map(String).join(".").slice(0, 200);
  if (issue.code === "unrecognized_keys") {
    return issue.keys.slice(0, 20).map((key) => ({
      path: key.slice(0, 200),
      message: "is not a field of a task request",
    }));
  }
  const isMissing = issue.input === undefined &&
    (issue.code === "invalid_type" || issue.code === "invalid_union");
  if (isMissing) return [{ path, message: "is required" }];
  if (issue.code === "invalid_union") {
    // Of the forms that it may have, the one that it has.
    const meant = issue.errors.find((issues) =>
      issues.every((inner) =>
        inner.code !== "invalid_type" || inner.path.length > 0
      )
    );
    return meant?.flatMap((inner) =>
      fieldErrors({ ...inner, path: [...issue.path, ...inner.path] })
    ) ?? [{ path, message: "must be a text, or a list of texts" }];
  }
  return [{ path, message: oneLine(issue.message) }];
}

function oneLine(text: string): string {
  // deno-lint-ignore no-control-regex
  return text.replace(/[\u0000-\u001f\u007f]+/g, " ").slice(0, 500);
}

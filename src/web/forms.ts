/**
 * Forms: from a template's schema to fields, and from what was typed to a
 * request. What a request may be is checked by the schemas that workers check by.
 *
 * @module
 */
import {
  MAX_NESTING,
  nestingOf,
  parseExactly,
} from "../messages/exact_json.ts";
import type { SettableField, TemplateOffer } from "../messages/template.ts";
import type { FormField } from "./model.ts";

/** What was typed, by the fields' names. */
export type Typed = Record<string, string>;

/** What a form says, or what is wrong with it. */
export interface FormResult {
  /** A request without its id. */
  request: Record<string, unknown>;
  /** By the fields' names. */
  problems: Record<string, string>;
}

type Schema = Record<string, unknown>;

const EMPTY: Omit<FormField, "name" | "label" | "kind"> = {
  required: false,
  description: "",
  default: null,
  options: [],
  min: null,
  max: null,
  maxLength: null,
  pattern: null,
};

/** Fields that a request has beside its variables, as a form shows them. */
const REQUEST_FIELDS: Record<
  Exclude<SettableField, "inventory">,
  FormField
> = {
  limit: {
    ...EMPTY,
    name: "limit",
    label: "Limit",
    kind: "text",
    description: "Only the hosts that this pattern selects.",
  },
  tags: {
    ...EMPTY,
    name: "tags",
    label: "Tags",
    kind: "list",
    description: "Only play tasks with one of these tags.",
  },
  skip_tags: {
    ...EMPTY,
    name: "skip_tags",
    label: "Skip tags",
    kind: "list",
    description: "No play tasks with one of these tags.",
  },
  verbosity: {
    ...EMPTY,
    name: "verbosity",
    label: "Verbosity",
    kind: "integer",
    description: "How much Ansible prints: the number of v's in -vvv.",
    min: 0,
    max: 6,
  },
  check_mode: {
    ...EMPTY,
    name: "check_mode",
    label: "Check mode",
    kind: "boolean",
    description: "Only see what would change.",
  },
  diff_mode: {
    ...EMPTY,
    name: "diff_mode",
    label: "Diff mode",
    kind: "boolean",
    description: "Show the changes in files.",
  },
  forks: {
    ...EMPTY,
    name: "forks",
    label: "Forks",
    kind: "integer",
    description: "How many hosts Ansible works on at once.",
    min: 1,
    max: 500,
  },
  timeout: {
    ...EMPTY,
    name: "timeout",
    label: "Time limit",
    kind: "number",
    description: "In seconds.",
    min: 1,
  },
  revision: {
    ...EMPTY,
    name: "revision",
    label: "Revision",
    kind: "text",
    description:
      "The commit or tag to run; without it, what is current when it starts.",
  },
  lock: {
    ...EMPTY,
    name: "lock",
    label: "Lock",
    kind: "text",
    description:
      "Tasks of the group with the same lock never run at the same time.",
  },
};

const PLAYBOOK: FormField = {
  ...EMPTY,
  name: "playbook",
  label: "Playbook",
  kind: "text",
  required: true,
  description: "A path relative to the workers' playbook directory.",
};

const INVENTORY: FormField = {
  ...EMPTY,
  name: "inventory",
  label: "Inventory",
  kind: "text",
  description:
    "A path relative to the workers' inventory directory, or names of hosts with a comma after or between them.",
};

const EXTRA_VARS: FormField = {
  ...EMPTY,
  name: "extra_vars",
  label: "Extra variables",
  kind: "json",
  description:
    'A JSON object, such as {"release": "1.4.2"}. It is sent, and not kept here.',
};

/** The fields of a free request. */
export const FREE_FIELDS: readonly FormField[] = [
  PLAYBOOK,
  { ...INVENTORY, required: true },
  EXTRA_VARS,
  ...Object.values(REQUEST_FIELDS),
];

/** The fields of a template. */
export function fieldsOf({ variables, may_set }: TemplateOffer): FormField[] {
  const required = Array.isArray(variables.required)
    ? variables.required.map(String)
    : [];
  return [
    ...Object.entries(mapping(variables.properties)).map(([name, schema]) =>
      variableField(name, {
        schema: mapping(schema),
        required: required.includes(name),
      })
    ),
    ...may_set.map((field) =>
      field === "inventory" ? INVENTORY : REQUEST_FIELDS[field]
    ),
  ];
}

function variableField(
  name: string,
  { schema, required }: { schema: Schema; required: boolean },
): FormField {
  const options = Array.isArray(schema.enum) ? schema.enum : [];
  const isText = (value: unknown) => typeof value === "string";
  const number = (value: unknown) => typeof value === "number" ? value : null;
  const { items } = schema as { items?: Schema };
  const kind: FormField["kind"] = options.length > 0 && options.every(isText)
    ? "choice"
    : schema.type === "string"
    ? schema.format === "password" || schema.writeOnly === true
      ? "password"
      : schema.format === "multiline" || number(schema.maxLength)! > 500
      ? "multiline"
      : "text"
    : schema.type === "integer" || schema.type === "number" ||
        schema.type === "boolean"
    ? schema.type
    : schema.type === "array" && items?.type === "string"
    ? "list"
    : "json";
  return {
    name: `var.${name}`,
    label: isText(schema.title) ? String(schema.title) : name,
    kind,
    required,
    description: isText(schema.description) ? String(schema.description) : "",
    default: schema.default === undefined
      ? null
      : isText(schema.default)
      ? String(schema.default)
      : kind === "list" && Array.isArray(schema.default)
      ? schema.default.join(", ")
      : JSON.stringify(schema.default),
    options: kind === "choice" ? options.map(String) : [],
    min: number(schema.minimum),
    max: number(schema.maximum),
    maxLength: number(schema.maxLength),
    pattern: isText(schema.pattern) ? String(schema.pattern) : null,
  };
}

/** What was typed, as a request. */
export function requestOf(
  fields: readonly FormField[],
  typed: Typed,
): FormResult {
  const request: Record<string, unknown> = {};
  const variables: Record<string, unknown> = {};
  const problems: Record<string, string> = {};
  for (const field of fields) {
    const { name, required } = field;
    const text = typed[name] ?? "";
    const isVariable = name.startsWith("var.");
    let value: unknown;
    try {
      value = valueOf(text, field);
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
      problems[name] = error.message;
      continue;
    }
    if (value === undefined) {
      if (required) problems[name] = "is required";
    } else if (isVariable) variables[name.slice("var.".length)] = value;
    else request[name] = value;
  }
  if (Object.keys(variables).length > 0) request.extra_vars = variables;
  return { request, problems };
}

/**
 * What was typed into one field; undefined for nothing.
 *
 * @throws {SyntaxError} it is none of its kind
 */
function valueOf(text: string, { kind }: FormField): unknown {
  const trimmed = text.trim();
  switch (kind) {
    case "boolean":
      if (trimmed === "") return undefined;
      if (trimmed !== "true" && trimmed !== "false") {
        throw new SyntaxError("must be true or false");
      }
      return trimmed === "true";
    case "integer":
    case "number":
      if (trimmed === "") return undefined;
      if (
        !/^-?\d+(\.\d+)?([eE][+-]?\d+)?$/.test(trimmed) ||
        kind === "integer" && !Number.isInteger(Number(trimmed))
      ) {
        throw new SyntaxError(
          `must be ${kind === "integer" ? "a whole" : "a"} number`,
        );
      }
      return Number(trimmed);
    case "list": {
      const items = trimmed.split(/[,\n]/).map((item) => item.trim())
        .filter((item) => item !== "");
      return items.length > 0 ? items : undefined;
    }
    case "json":
      if (trimmed === "") return undefined;
      if (nestingOf(new TextEncoder().encode(trimmed)) > MAX_NESTING) {
        throw new SyntaxError("is nested too deep");
      }
      try {
        return parseExactly(trimmed);
      } catch {
        // The parser's own message would quote what was typed.
        throw new SyntaxError("must be JSON");
      }
    case "password":
      return text === "" ? undefined : text;
    case "multiline":
      return text === "" ? undefined : text.replaceAll("\r\n", "\n");
    default:
      return trimmed === "" ? undefined : trimmed;
  }
}

/** What a form shows again of what was typed: no password. */
export function shownAgain(
  fields: readonly FormField[],
  typed: Typed,
): Typed {
  return Object.fromEntries(
    fields.filter(({ kind, name }) =>
      kind !== "password" && typed[name] !== undefined
    ).map(({ name }) => [name, typed[name]!]),
  );
}

/** The field of a form that a problem of a request is about. */
export function fieldOf(
  path: string,
  fields: readonly FormField[],
): string {
  const [first = "", second] = path.split(".");
  const name = ["extra_vars", "variables"].includes(first) &&
      second !== undefined && fields.some((f) => f.name === `var.${second}`)
    ? `var.${second}`
    : first;
  return fields.some((field) => field.name === name) ? name : "";
}

function mapping(value: unknown): Schema {
  return typeof value === "object" && value !== null ? value as Schema : {};
}

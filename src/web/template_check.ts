/**
 * What is wrong with variables by the schema of a template, before a worker says
 * so.
 *
 * The schema came by a message, so its regular expressions are matched where
 * they can be given up: in a thread that may do nothing, for a moment. What
 * cannot be told here, the worker tells.
 *
 * @module
 */
import { inTime } from "../deadline.ts";
import { isMapping } from "../mapping.ts";
import type { FieldError } from "../messages/rejected.ts";
import { Variables, VariablesSchemaError } from "../templates/variables.ts";

/** How long all expressions together may take, in milliseconds. */
const MATCH_MS = 1000;

type Schema = Record<string, unknown>;

interface Match {
  name: string;
  pattern: string;
  text: string;
}

/** What is wrong with values, one entry a problem. */
export async function faultsOf(
  schema: Schema,
  values: Record<string, unknown>,
): Promise<FieldError[]> {
  let variables;
  try {
    variables = await Variables.of(withoutPatterns(schema) as Schema);
  } catch (error) {
    if (error instanceof VariablesSchemaError) return [];
    throw error;
  }
  const { faults } = variables.check(values);
  const matches = matchesOf(schema, values);
  const isMatch = await matchAll(matches);
  return [
    ...faults,
    ...matches.filter((_, i) => isMatch[i] === false).map((
      { name, pattern },
    ) => ({ path: `variables.${name}`, message: `must match ${pattern}` })),
  ];
}

/** A schema without anything that would be matched. */
function withoutPatterns(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(withoutPatterns);
  if (!isMapping(schema)) return schema;
  const { patternProperties, ...rest } = schema;
  const kept = Object.entries(rest).filter(([name, value]) =>
    name !== "pattern" || typeof value !== "string"
  ).map(([name, value]) => [name, withoutPatterns(value)]);
  return {
    ...Object.fromEntries(kept),
    // Which names they allow is not known here.
    ...(patternProperties !== undefined && { additionalProperties: true }),
  };
}

/** The expressions of variables that are texts, or lists of texts. */
function matchesOf(
  { properties }: Schema,
  values: Record<string, unknown>,
): Match[] {
  const matches: Match[] = [];
  const add = (name: string, { schema, value }: {
    schema: unknown;
    value: unknown;
  }) => {
    if (!isMapping(schema)) return;
    if (typeof value === "string" && typeof schema.pattern === "string") {
      matches.push({ name, pattern: schema.pattern, text: value });
    } else if (Array.isArray(value)) {
      for (const item of value) {
        add(name, { schema: schema.items, value: item });
      }
    }
  };
  if (!isMapping(properties)) return matches;
  for (const [name, schema] of Object.entries(properties)) {
    if (Object.hasOwn(values, name)) add(name, { schema, value: values[name] });
  }
  return matches;
}

/** What the thread does: null for an expression that is none. */
const THREAD = `self.onmessage = ({ data }) => self.postMessage(
  data.map(({ pattern, text }) => {
    try {
      return new RegExp(pattern, "u").test(text);
    } catch {
      return null;
    }
  }),
);`;

/** Whether each matches; nothing where it cannot be told in time. */
async function matchAll(
  matches: readonly Match[],
): Promise<(boolean | null)[]> {
  if (matches.length === 0) return [];
  const thread = new Worker(
    `data:text/javascript,${encodeURIComponent(THREAD)}`,
    { type: "module" },
  );
  const answer = Promise.withResolvers<(boolean | null)[]>();
  thread.onmessage = ({ data }) => answer.resolve(data);
  thread.onerror = (event) => {
    event.preventDefault();
    answer.resolve([]);
  };
  thread.postMessage(matches);
  try {
    return await inTime(answer.promise, {
      ms: MATCH_MS,
      late: () => new Error("too slow"),
    }).catch(() => []);
  } finally {
    thread.terminate();
  }
}

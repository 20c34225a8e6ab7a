/**
 * The JSON Schema of a configuration, by which an editor completes and checks
 * one. It describes the file as it is written, before `${…}` is replaced: where
 * the program expects a number, or one of some names, a variable may stand.
 *
 * @module
 */
import { type JsonSchema, toJsonSchema } from "../messages/json_schema.ts";
import { configSchema } from "./schema.ts";

/** A text with a variable in it, as `expand.ts` reads it; `$${` begins none. */
const VARIABLE = "(^|[^$])\\$\\{[A-Za-z_][A-Za-z0-9_]*(:-[^}]*)?\\}";

/** What a text can be where something other than a text is wanted. */
const QUOTED: Record<string, { pattern: string; name: string }> = {
  integer: { pattern: "\\d+(\\.\\d+)?", name: "a whole number" },
  number: { pattern: "\\d+(\\.\\d+)?", name: "a number" },
  boolean: { pattern: "(true|false)", name: "true or false" },
};

/** Keywords by which a text with a variable in it could be refused. */
const LIMITS = ["pattern", "enum", "maxLength"];

/** Keywords that describe a value, whatever form it has. */
const ANNOTATIONS = ["title", "description", "default"];

/** The JSON Schema of a configuration, draft 2020-12. */
export function configJsonSchema(): JsonSchema {
  return {
    ...withVariables(toJsonSchema(configSchema)),
    $defs: {
      variable: {
        description: "A text with a variable of the environment in it.",
        type: "string",
        pattern: VARIABLE,
      },
    },
  };
}

/** Lets a variable stand in place of every value that is no list or mapping. */
function withVariables(schema: JsonSchema): JsonSchema {
  const quoted = QUOTED[String(schema.type)];
  if (quoted !== undefined) {
    return {
      ...schema,
      type: [schema.type, "string"],
      pattern: `^\\s*${quoted.pattern}\\s*$|${VARIABLE}`,
      // Of Visual Studio Code and the YAML language server; others pass it over.
      patternErrorMessage: `must be ${quoted.name}, or a variable as \${NAME}`,
    };
  }
  if (schema.type === "string") {
    return LIMITS.some((keyword) => keyword in schema)
      ? orVariable(schema)
      : schema;
  }
  if (schema.anyOf) {
    const forms = schema.anyOf as JsonSchema[];
    const [section, none] = forms;
    if (none?.type !== "null") {
      return { ...schema, anyOf: forms.map(withVariables) };
    }
    // A section that may be empty. Editors complete one form better than two.
    return { ...withVariables(section!), type: [section!.type, "null"] };
  }
  const copy = { ...schema };
  if (schema.properties) {
    copy.properties = Object.fromEntries(
      Object.entries(schema.properties)
        .map(([name, inner]) => [name, withVariables(inner)]),
    );
  }
  if (
    typeof schema.additionalProperties === "object" &&
    (schema.additionalProperties as JsonSchema | null)?.properties
  ) {
    copy.additionalProperties = withVariables(
      schema.additionalProperties as JsonSchema,
    );
  }
  if (schema.items) copy.items = withVariables(schema.items as JsonSchema);
  return copy;
}

function orVariable(text: JsonSchema): JsonSchema {
  const entries = Object.entries(text);
  const isAnnotation = ([keyword]: [string, unknown]) =>
    ANNOTATIONS.includes(keyword);
  return {
    ...Object.fromEntries(entries.filter(isAnnotation)),
    anyOf: [
      Object.fromEntries(entries.filter((entry) => !isAnnotation(entry))),
      { $ref: "#/$defs/variable" },
    ],
  };
}

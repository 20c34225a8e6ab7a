/**
 * What the variables of a template may be: a JSON Schema, draft 2020-12, and
 * what is wrong with values by it.
 *
 * @module
 */
import type { ErrorObject, ValidateFunction } from "ajv";
import type { FieldError } from "../messages/rejected.ts";

/** A JSON Schema as it was written. */
export type VariablesSchema = Readonly<Record<string, unknown>>;

/** How many faults of one request are told. */
const MAX_FAULTS = 20;

/** Something that is wrong with a schema. */
export interface SchemaFault {
  /** Where in the schema. */
  path: (string | number)[];
  message: string;
}

/** The schema does not say what variables may be. */
export class VariablesSchemaError extends Error {
  override name = "VariablesSchemaError";
  readonly faults: readonly SchemaFault[];

  constructor(faults: readonly SchemaFault[]) {
    super(faults.map(({ message }) => message).join("; "));
    this.faults = faults;
  }
}

/** The variables of one template. */
export class Variables {
  /** The schema, with what it leaves open filled in. */
  readonly schema: VariablesSchema;
  readonly #validate: ValidateFunction;

  private constructor(schema: VariablesSchema, validate: ValidateFunction) {
    this.schema = schema;
    this.#validate = validate;
  }

  /**
   * Reads a schema.
   *
   * @throws {VariablesSchemaError} it is none, or its own defaults are not valid
   */
  static async of(written: VariablesSchema = {}): Promise<Variables> {
    const text = JSON.stringify(written);
    const known = read.get(text);
    if (known) return known;
    const variables = await Variables.#read(written);
    read.set(text, variables);
    return variables;
  }

  static async #read(written: VariablesSchema): Promise<Variables> {
    const { strict, lenient } = await (validators ??= newValidators());
    // What a request may say is what is written here; more has to be asked for.
    const schema: Record<string, unknown> = {
      type: "object",
      additionalProperties: false,
      ...structuredClone(written),
    };
    const draft = schema.$schema;
    if (draft !== undefined && draft !== DRAFT) {
      throw new VariablesSchemaError([{
        path: ["$schema"],
        message: `must be left out, or be ${DRAFT}`,
      }]);
    }
    if (!lenient.validateSchema(schema)) {
      // One for each place: the forms that it could have are told one by one.
      const faults = new Map<string, SchemaFault>();
      for (const error of innermost(lenient.errors ?? [])) {
        if (faults.has(error.instancePath)) continue;
        faults.set(error.instancePath, {
          path: steps(error.instancePath),
          message: sentence(error, schema),
        });
      }
      throw new VariablesSchemaError([...faults.values()]);
    }
    if (schema.type !== "object") {
      throw new VariablesSchemaError([{
        path: ["type"],
        message: "must be object: variables have names",
      }]);
    }
    const parts = partsOf(schema);
    const patterns = parts.flatMap(({ path, part: { pattern } }) => {
      const why = typeof pattern === "string" ? whyNoPattern(pattern) : null;
      return why === null ? [] : [{ path: [...path, "pattern"], message: why }];
    });
    if (patterns.length > 0) throw new VariablesSchemaError(patterns);
    let validate;
    try {
      validate = strict.compile({ ...schema, $id: ROOT });
    } catch (error) {
      throw new VariablesSchemaError([{
        path: [],
        message: `is not a JSON Schema that can be used: ${
          (error as Error).message.replace(/^strict mode: /, "")
        }`,
      }]);
    } finally {
      strict.removeSchema(ROOT);
    }
    // As schemas of their own, which the strict one takes for a mistake.
    lenient.removeSchema(ROOT).addSchema({ ...schema, $id: ROOT });
    const faults = parts.flatMap(({ path, part: { default: value } }) => {
      if (value === undefined) return [];
      const pointer = path.map((step) =>
        encodeURIComponent(
          String(step).replaceAll("~", "~0").replaceAll("/", "~1"),
        )
      ).join("/");
      const own = lenient.getSchema(`${ROOT}#/${pointer}`)!;
      return own(structuredClone(value)) ? [] : [{
        path: [...path, "default"],
        message: `is not valid by its own schema: ${
          sentence(own.errors![0]!, value)
        }`,
      }];
    });
    if (faults.length > 0) throw new VariablesSchemaError(faults);
    return new Variables(schema, validate);
  }

  /**
   * What is wrong with values; and the values with the defaults of those that
   * were left out.
   */
  check(
    given: Readonly<Record<string, unknown>>,
  ): { faults: FieldError[]; complete: Record<string, unknown> } {
    const complete = structuredClone(given) as Record<string, unknown>;
    if (this.#validate(complete)) return { faults: [], complete };
    const faults = innermost(this.#validate.errors ?? []).map((error) => ({
      path: ["variables", ...steps(error.instancePath), ...missingStep(error)]
        .join("."),
      message: sentence(error, complete),
    }));
    return { faults: faults.slice(0, MAX_FAULTS), complete };
  }
}

/** The draft of JSON Schema. */
const DRAFT = "https://json-schema.org/draft/2020-12/schema";

/**
 * One that refuses what is probably a mistake; and one that looks at parts of a
 * schema by themselves, of which some would be one.
 */
async function newValidators() {
  // Only where there are templates: an idle worker is to stay small.
  const { Ajv2020 } = await import("ajv/dist/2020.js");
  const common = {
    allErrors: true,
    logger: false,
    // They describe; what they would check differs from one tool to the next.
    validateFormats: false,
  } as const;
  return {
    strict: new Ajv2020({
      ...common,
      useDefaults: true,
      strictTypes: false,
      strictTuples: false,
    }),
    lenient: new Ajv2020({ ...common, strict: false }),
  };
}

/**
 * What was read, by its text as JSON: a validator keeps something of each schema
 * that it was ever given, and a configuration is read again and again.
 */
const read = new Map<string, Variables>();

let validators: ReturnType<typeof newValidators> | null = null;

/** Names a schema, so that its parts can be looked at. */
const ROOT = "urn:ansible-worker:variables";

/** Why a text is no regular expression; null if it is one. */
function whyNoPattern(text: string): string | null {
  try {
    new RegExp(text, "u");
    return null;
  } catch (error) {
    return `is not a regular expression: ${
      (error as Error).message.replace(/^.*\/u: /s, "")
    }`;
  }
}

/** A schema and those of its properties, however deep. */
function partsOf(
  schema: unknown,
  path: string[] = [],
): { path: string[]; part: Record<string, unknown> }[] {
  if (typeof schema !== "object" || schema === null) return [];
  const part = schema as Record<string, unknown>;
  return [
    { path, part },
    ...Object.entries(part.properties ?? {}).flatMap(([name, inner]) =>
      partsOf(inner, [...path, "properties", name])
    ),
  ];
}

/** The steps of a JSON pointer. */
function steps(pointer: string): string[] {
  return pointer.split("/").slice(1).map((step) =>
    step.replaceAll("~1", "/").replaceAll("~0", "~")
  );
}

/** Without the faults that only sum up others. */
function innermost(errors: readonly ErrorObject[]): ErrorObject[] {
  const sums = ["anyOf", "oneOf", "if", "not", "$ref", "$dynamicRef", "allOf"];
  const telling = errors.filter(({ keyword }) => !sums.includes(keyword));
  return [...(telling.length > 0 ? telling : errors)];
}

/** The name that is missing, or that should not be there. */
function missingStep({ params }: ErrorObject): string[] {
  const { missingProperty, additionalProperty, unevaluatedProperty } = params;
  const name = missingProperty ?? additionalProperty ?? unevaluatedProperty;
  return name === undefined ? [] : [String(name)];
}

/** A fault of values in words; none of the values gets into it. */
function sentence(
  { keyword, params, message, instancePath }: ErrorObject,
  values: unknown,
): string {
  switch (keyword) {
    case "pattern":
      return `must match ${params.pattern}`;
    case "enum":
      return `must be one of ${
        params.allowedValues.map((value: unknown) =>
          typeof value === "string" ? value : JSON.stringify(value)
        ).join(", ")
      }`;
    case "const":
      return `must be ${JSON.stringify(params.allowedValue)}`;
    case "type":
      return `must be of type ${[params.type].flat().join(" or ")}, not ${
        typeOf(at(values, steps(instancePath)))
      }`;
    case "required":
      return "is required";
    case "additionalProperties":
    case "unevaluatedProperties":
      return "is not known to the template";
    default:
      return message ?? `is not valid (${keyword})`;
  }
}

/** The value at a place. */
function at(values: unknown, path: readonly string[]): unknown {
  return path.reduce(
    (inner, step) => (inner as Record<string, unknown>)[step],
    values,
  );
}

/** The type of a value, as JSON Schema calls it. */
function typeOf(value: unknown): string {
  if (value === null) return "null";
  return Array.isArray(value) ? "array" : typeof value;
}

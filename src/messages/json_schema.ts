/**
 * From the schemas that the program checks by to JSON Schema, for others to
 * check by.
 *
 * @module
 */
import { z } from "zod";

/** A JSON Schema, or a part of one. */
export type JsonSchema = Record<string, unknown>;

/** What `date-time` leaves open: UTC, with milliseconds. */
const TIME = "^\\d{4}-\\d{2}-\\d{2}T\\d{2}:\\d{2}:\\d{2}\\.\\d{3}Z$";

/**
 * What may be sent to the program, or is sent by it, as JSON Schema.
 *
 * @param options.target the draft: 2020-12 if left out
 */
export function toJsonSchema(
  schema: z.ZodType,
  options: { target?: "draft-2020-12" | "draft-07" } = {},
): JsonSchema {
  const { $schema, title, description, ...rest } = z.toJSONSchema(schema, {
    io: "input",
    target: options.target ?? "draft-2020-12",
    override: ({ zodSchema, jsonSchema }) => {
      if (zodSchema instanceof z.ZodDefault) {
        // Zod leaves it out where the schema transforms what it takes.
        jsonSchema.default = zodSchema.def.defaultValue as never;
      }
      // The days of each month, and the leap years, are what `format` says.
      if (jsonSchema.format === "date-time") jsonSchema.pattern = TIME;
    },
  });
  return { $schema, title, description, ...rest };
}

/**
 * `ansible-worker schema WHAT`: what travels, and what a configuration is, for
 * other programs.
 *
 * @module
 */
import { configJsonSchema } from "../config/mod.ts";
import { asyncapi } from "../messages/asyncapi.ts";
import { toJsonSchema } from "../messages/json_schema.ts";
import { type MessageName, messageSchemas } from "../messages/schemas.ts";
import { print } from "./output.ts";
import { version } from "../version.ts";

/** Prints it as JSON; returns the exit code. */
export function schema(subject: string): number {
  print(Deno.stdout, `${JSON.stringify(documentOf(subject), null, 2)}\n`);
  return 0;
}

/** One of the subjects, as an object. */
export function documentOf(subject: string): Record<string, unknown> {
  if (subject === "asyncapi") return asyncapi({ version });
  if (subject === "config") return configJsonSchema();
  return toJsonSchema(messageSchemas[subject as MessageName]);
}

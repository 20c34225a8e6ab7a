/**
 * A template as a worker tells of it: what may be asked for by its name, and
 * what a request may say about it.
 *
 * @module
 */
import { z } from "zod";

/** Fields of a request that a template can leave to it. */
export const SETTABLE_FIELDS = [
  "inventory",
  "limit",
  "tags",
  "skip_tags",
  "verbosity",
  "check_mode",
  "diff_mode",
  "forks",
  "timeout",
  "revision",
  "lock",
] as const;

/** Such a field. */
export type SettableField = typeof SETTABLE_FIELDS[number];

/** A name that is safe wherever it is shown or completed, and part of an id. */
export const templateNameSchema = z.string().regex(
  /^[A-Za-z0-9._:@~-]{1,64}$/,
  "must be 1 to 64 characters of A-Z a-z 0-9 . _ : @ ~ -",
);

/** The schema of a schedule in a presence. */
const scheduleSchema = z.strictObject({
  cron: z.string().describe(
    "A cron expression: five fields, or six with seconds before them.",
  ),
  time_zone: z.string().describe("The time zone that it is meant in."),
  catch_up: z.boolean().describe(
    "Whether a time at which no worker was there is made up for.",
  ),
});

/** The schema of a template in a presence. */
export const templateSchema = z.strictObject({
  name: templateNameSchema.describe("What a request names it by."),
  description: z.string().describe("What it is for; may be empty."),
  variables: z.record(z.string(), z.unknown()).describe(
    "JSON Schema (draft 2020-12) of the extra variables that a request may set.",
  ),
  may_set: z.array(z.enum(SETTABLE_FIELDS)).describe(
    "Other fields that a request may set.",
  ),
  schedule: scheduleSchema.optional().describe(
    "When it is run by itself; left out if it is not.",
  ),
}).meta({ description: "Something that may be asked for by its name." });

/** A template, as a worker tells of it. */
export type TemplateOffer = z.output<typeof templateSchema>;

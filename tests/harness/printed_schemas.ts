/**
 * The schemas that `ansible-worker schema` prints, as a stranger would use
 * them: compiled from their text by a validator of its own.
 *
 * @module
 */
import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import { documentOf } from "../../src/cli/schema.ts";
import type { MessageName } from "../../src/messages/schemas.ts";

const ajv = new Ajv2020({
  allErrors: true,
  allowUnionTypes: true,
  // The patterns say what matters of it.
  formats: { "date-time": true },
});

// Says it better than the pattern, in editors that know it.
ajv.addVocabulary(["patternErrorMessage"]);

const compiled = new Map<string, ValidateFunction>();

/** What is wrong with a value, by a schema's name; null if nothing is. */
export function objection(subject: string, value: unknown): string | null {
  let validate = compiled.get(subject);
  if (!validate) {
    validate = ajv.compile(JSON.parse(JSON.stringify(documentOf(subject))));
    compiled.set(subject, validate);
  }
  return validate(value) ? null : ajv.errorsText(validate.errors);
}

/** Topics that workers publish on, and the schema of what they do. */
const PUBLISHED: [RegExp, MessageName][] = [
  [/\/tasks\/[^/]+\/status$/, "status"],
  [/\/tasks\/[^/]+\/events$/, "event"],
  [/\/tasks\/[^/]+\/output$/, "output"],
  [/\/rejected$/, "rejected"],
  [/\/workers\/[^/]+\/status$/, "presence"],
  [/\/workers\/[^/]+\/load$/, "load"],
];

/**
 * The schema of what workers publish on a topic; null if they publish nothing
 * there that has one.
 */
export function schemaOf(topic: string): MessageName | null {
  return PUBLISHED.find(([pattern]) => pattern.test(topic))?.[1] ?? null;
}

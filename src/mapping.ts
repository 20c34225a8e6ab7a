/**
 * Values of which it is not known what they are.
 *
 * @module
 */

/** Whether a value has names: an object of JSON, or a mapping of YAML. */
export function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

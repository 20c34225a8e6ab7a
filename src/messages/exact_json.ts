/**
 * JSON whose numbers stay as they were written: `1.0` and 20 digits mean more
 * to Ansible than a JavaScript number can say.
 *
 * @module
 */

/** Of ECMAScript 2026; the compiler's library does not have them yet. */
const exactJson = JSON as unknown as {
  parse(
    text: string,
    reviver: (key: string, value: unknown, at: { source?: string }) => unknown,
  ): unknown;
  rawJSON(text: string): unknown;
};

/**
 * Parses JSON; a number that JavaScript would write in another way becomes an
 * object that only `JSON.stringify` understands.
 *
 * @throws {SyntaxError} it is none
 */
export function parseExactly(text: string): unknown {
  return exactJson.parse(
    text,
    (_key, value, { source }) =>
      typeof value === "number" && source !== undefined &&
        source !== String(value)
        ? exactJson.rawJSON(source)
        : value,
  );
}

/** A number as it was written, for `JSON.stringify`. */
export function exactNumber(source: string): unknown {
  return exactJson.rawJSON(source);
}

/**
 * JSON whose numbers stay as they were written: `1.0` and 20 digits mean more
 * to Ansible than a JavaScript number can say; and how deep JSON is nested.
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

/**
 * The deepest nesting that is read at all. What is deeper than that is hostile,
 * and could exhaust the stack of whoever walks through it.
 */
export const MAX_NESTING = 100;

/** How deep objects and lists are nested; of what is no JSON, some number. */
export function nestingOf(json: Uint8Array): number {
  let deepest = 0;
  let depth = 0;
  let inString = false;
  for (let i = 0; i < json.length; i++) {
    const byte = json[i];
    if (inString) {
      if (byte === 0x5c) i++; // A backslash: the next one does not end it.
      else if (byte === 0x22) inString = false;
    } else if (byte === 0x22) inString = true;
    else if (byte === 0x5b || byte === 0x7b) {
      deepest = Math.max(deepest, ++depth);
    } else if (byte === 0x5d || byte === 0x7d) depth--;
  }
  return deepest;
}

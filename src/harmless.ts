/**
 * Texts that somebody else has written, made harmless for a terminal and for
 * whoever reads lines.
 *
 * @module
 */

/**
 * What a terminal or a reader of lines acts upon: control characters, line
 * separators, marks that turn the direction of text or cannot be seen, and
 * halves of characters.
 */
export const UNSAFE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;

/** As JSON would write it, which is still JSON inside of a JSON string. */
export function escapeCharacter(character: string): string {
  return Array.from(
    { length: character.length },
    (_, i) => `\\u${character.charCodeAt(i).toString(16).padStart(4, "0")}`,
  ).join("");
}

const SHORT: Record<string, string> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

/** A text as one line, every unsafe character escaped. */
export function harmless(text: string): string {
  return text.replace(UNSAFE, (c) => SHORT[c] ?? escapeCharacter(c));
}

/** A text whose lines and tabs stay; the rest of it is made harmless. */
export function harmlessLines(text: string): string {
  return text.replaceAll("\r\n", "\n").replace(
    UNSAFE,
    (c) => c === "\n" || c === "\t" ? c : SHORT[c] ?? escapeCharacter(c),
  );
}

/** JSON, which stays the same JSON. */
export function harmlessJson(json: string): string {
  return json.replace(UNSAFE, escapeCharacter);
}

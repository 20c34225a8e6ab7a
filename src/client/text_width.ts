/**
 * How much room a text takes in a terminal, and cutting it to what there is.
 *
 * @module
 */

/** Marks that stand on the character before them. */
const NO_WIDTH = /^[\p{Mn}\p{Me}]$/u;

/**
 * Characters that take two columns: emoji, and the scripts that Unicode calls
 * wide (Standard Annex 11).
 */
const WIDE =
  /^(?:\p{Emoji_Presentation}|\p{Script=Han}|\p{Script=Hiragana}|\p{Script=Katakana}|\p{Script=Hangul}|[\u3000-\u303e\uff01-\uff60\uffe0-\uffe6])$/u;

/** The columns that a text takes; it must be harmless already. */
export function widthOf(text: string): number {
  let width = 0;
  for (const character of text) width += columnsOf(character);
  return width;
}

function columnsOf(character: string): number {
  if (character < "\u0300") return 1;
  if (NO_WIDTH.test(character)) return 0;
  return WIDE.test(character) ? 2 : 1;
}

/** The text, cut to a number of columns; what is cut ends with `…`. */
export function fit(text: string, columns: number): string {
  if (widthOf(text) <= columns) return text;
  if (columns < 1) return "";
  let kept = "";
  let room = columns - 1;
  for (const character of text) {
    room -= columnsOf(character);
    if (room < 0) break;
    kept += character;
  }
  return kept + "…";
}

/** The text, cut and filled to exactly a number of columns. */
export function fill(text: string, columns: number): string {
  const cut = fit(text, columns);
  return cut + " ".repeat(Math.max(0, columns - widthOf(cut)));
}

/**
 * A text on lines of at most a number of columns, broken between words; a word
 * that is longer than that is left to the terminal. Spaces stay as they are.
 */
export function wrap(text: string, columns: number): string[] {
  return text.split("\n").flatMap((line) => {
    const lines = [""];
    for (const word of line.match(/ *[^ ]+|^ *$/g) ?? []) {
      const longer = lines.at(-1)! + word;
      if (lines.at(-1) === "" || widthOf(longer) <= columns) {
        lines[lines.length - 1] = longer;
      } else lines.push(word.trimStart());
    }
    return lines;
  });
}

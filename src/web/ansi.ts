/**
 * The colours of a terminal, as spans with classes. Of what a terminal obeys,
 * only "select graphic rendition" (ECMA-48, 8.3.117) is followed; the rest is
 * left out, and a carriage return begins the line anew, as a terminal shows it.
 *
 * @module
 */
import type { OutputSpan } from "./model.ts";

const COLOURS = [
  "black",
  "red",
  "green",
  "yellow",
  "blue",
  "magenta",
  "cyan",
  "white",
];

const ATTRIBUTES: Record<number, string> = {
  1: "bold",
  2: "dim",
  3: "italic",
  4: "underline",
  7: "inverse",
  9: "strike",
};

/** What ends which attributes. */
const ENDS: Record<number, string[]> = {
  22: ["bold", "dim"],
  23: ["italic"],
  24: ["underline"],
  27: ["inverse"],
  29: ["strike"],
};

/** Sequences that begin with ESC: of CSI, of OSC and the like, and short ones. */
const ESCAPES =
  // deno-lint-ignore no-control-regex
  /\u001b(?:\[([0-?]*)[ -/]*([@-~])|[\]PX^_][^\u0007\u001b]*(?:\u0007|\u001b\\)?|[ -/]*[0-~])/g;

/** What else a terminal would act upon, but for tabs. */
// deno-lint-ignore no-control-regex
const CONTROLS = /[\u0000-\u0008\u000b-\u001f\u007f]/g;

/** The most spans of one line; the rest of it looks like the last one. */
const MAX_SPANS = 2000;

/**
 * One line as spans.
 *
 * @param style classes that hold where it begins, as the line before left them
 * @returns the spans, and the classes that hold at its end
 */
export function spansOf(
  line: string,
  style = "",
): { spans: OutputSpan[]; style: string } {
  const spans: OutputSpan[] = [];
  const text = line.replace(/\r+$/, "");
  let classes = style;
  let at = 0;
  const put = (piece: string) => {
    const shown = piece.replace(CONTROLS, "");
    if (shown === "") return;
    const last = spans.at(-1);
    if (last && (last.classes === classes || spans.length >= MAX_SPANS)) {
      last.text += shown;
    } else spans.push({ text: shown, classes });
  };
  const putLines = (piece: string) => {
    const begin = piece.lastIndexOf("\r");
    if (begin >= 0) spans.length = 0;
    put(piece.slice(begin + 1));
  };
  for (const match of text.matchAll(ESCAPES)) {
    putLines(text.slice(at, match.index));
    at = match.index + match[0].length;
    if (match[2] === "m") classes = rendition(classes, match[1]!);
  }
  putLines(text.slice(at));
  return { spans, style: classes };
}

/** The classes that hold behind a text, however many lines it has. */
export function styleAfter(text: string, style: string): string {
  let classes = style;
  for (const match of text.matchAll(ESCAPES)) {
    if (match[2] === "m") classes = rendition(classes, match[1]!);
  }
  return classes;
}

/** A text without any of it. */
export function plain(text: string): string {
  return text.replace(ESCAPES, "");
}

function rendition(classes: string, parameters: string): string {
  const set = new Set(classes.split(" ").filter((name) => name !== ""));
  const replace = (begin: string, name: string | null) => {
    for (const other of set) if (other.startsWith(begin)) set.delete(other);
    if (name !== null) set.add(name);
  };
  const codes = parameters.split(";").map(Number);
  for (let i = 0; i < codes.length; i++) {
    const code = codes[i]!;
    if (code === 0) set.clear();
    else if (Object.hasOwn(ATTRIBUTES, code)) set.add(ATTRIBUTES[code]!);
    else if (Object.hasOwn(ENDS, code)) {
      ENDS[code]!.forEach((name) => set.delete(name));
    } else if (code === 38 || code === 48) {
      const ground = code === 38 ? "fg-" : "bg-";
      // Of 256 colours the first 16 have names; others are not shown.
      const index = codes[i + 1] === 5 ? codes[i + 2] ?? -1 : -1;
      if (index >= 0 && index < 16) {
        replace(ground, `${ground}${nameOf(index)}`);
      }
      i += codes[i + 1] === 5 ? 2 : codes[i + 1] === 2 ? 4 : 0;
    } else if (code === 39) replace("fg-", null);
    else if (code === 49) replace("bg-", null);
    else if (code >= 30 && code <= 37) {
      replace("fg-", `fg-${nameOf(code - 30)}`);
    } else if (code >= 40 && code <= 47) {
      replace("bg-", `bg-${nameOf(code - 40)}`);
    } else if (code >= 90 && code <= 97) {
      replace("fg-", `fg-${nameOf(code - 82)}`);
    } else if (code >= 100 && code <= 107) {
      replace("bg-", `bg-${nameOf(code - 92)}`);
    }
  }
  return [...set].join(" ");
}

function nameOf(index: number): string {
  return index < 8 ? COLOURS[index]! : `bright-${COLOURS[index - 8]}`;
}

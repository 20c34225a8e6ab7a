/**
 * The lower part of a terminal that is drawn again and again; what is printed
 * meanwhile is above it and stays.
 *
 * @module
 */
import { fit, widthOf } from "./text_width.ts";
import type { Terminal } from "./terminal.ts";

/** A line in pieces, so that colours do not count for its width. */
export type Line = readonly {
  text: string;
  paint?: (text: string) => string;
}[];

const ESC = "\u001b[";

/** The part of the terminal that is drawn again. */
export class Screen implements Disposable {
  readonly #terminal: Terminal;
  /** The widths of the lines that were drawn last. */
  #drawn: number[] = [];
  #lines: readonly Line[] = [];
  readonly #onResize = () => this.draw(this.#lines);

  /** Nothing is drawn at first. */
  constructor(terminal: Terminal) {
    this.#terminal = terminal;
    Deno.addSignalListener("SIGWINCH", this.#onResize);
  }

  /** The lines and columns that there are for drawing. */
  get size(): { columns: number; rows: number } {
    const { columns, rows } = this.#terminal.size();
    // The last column stays free, since not all terminals agree on what a full
    // line does, and the last line has the cursor.
    return { columns: Math.max(1, columns - 1), rows: Math.max(1, rows - 1) };
  }

  /** Draws these lines in the place of the last ones, as many as there is room. */
  draw(lines: readonly Line[]): void {
    this.#lines = lines;
    this.#terminal.write(this.#frame(""));
  }

  /** Writes lines above the part that is drawn again; they stay. */
  print(text: string): void {
    this.#terminal.write(this.#frame(`${text}\n`));
  }

  /** What was drawn last stays, and nothing is drawn any more. */
  [Symbol.dispose](): void {
    Deno.removeSignalListener("SIGWINCH", this.#onResize);
  }

  /** Goes to the beginning of the part, and writes it anew. */
  #frame(above: string): string {
    const { columns, rows } = this.size;
    // A terminal that has become narrower has wrapped the lines that were there.
    const up = this.#drawn.reduce(
      (sum, width) => sum + Math.max(1, Math.ceil(width / (columns + 1))),
      0,
    );
    const shown = this.#lines.slice(0, rows).map((line) =>
      fitLine(line, columns)
    );
    this.#drawn = shown.map(({ width }) => width);
    return (up > 0 ? `${ESC}${up}A` : "") + `\r${ESC}J` + above +
      shown.map(({ text }) => `${text}\n`).join("");
  }
}

function fitLine(
  line: Line,
  columns: number,
): { text: string; width: number } {
  let text = "";
  let width = 0;
  for (const { text: piece, paint = (text: string) => text } of line) {
    const cut = fit(piece, columns - width);
    text += paint(cut);
    width += widthOf(cut);
    if (cut !== piece) break;
  }
  return { text, width };
}

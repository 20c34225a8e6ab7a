/**
 * Tables that fit a terminal: columns shrink, then the least important ones go.
 *
 * @module
 */
import { harmless } from "../harmless.ts";
import type { Colour, Paint } from "./colours.ts";
import type { Line } from "./screen.ts";
import { fill, fit, widthOf } from "./text_width.ts";

/** A column. */
export interface Column<T> {
  /** Its head. */
  title: string;
  /** Its text in a row; it need not be harmless. */
  text(row: T): string;
  /** In which colour. */
  colour?(row: T): Colour | null;
  /** The smallest width that it may shrink to; left out, it does not shrink. */
  minWidth?: number;
  /** The highest goes first where there is no room; left out, it stays. */
  drop?: number;
}

/** The space between two columns. */
const GAP = "  ";

/** The rows as lines, the heads first. */
export function table<T>(
  columns: readonly Column<T>[],
  rows: readonly T[],
  { width, paint }: { width: number; paint: Paint },
): Line[] {
  const cells = columns.map((column) => ({
    column,
    texts: rows.map((row) => harmless(column.text(row))),
  }));
  const shown = layOut(
    cells.map(({ column, texts }) => ({
      column,
      texts,
      natural: Math.max(widthOf(column.title), ...texts.map(widthOf)),
    })),
    width,
  );
  const line = (
    textOf: (cell: typeof shown[number]) => string,
    colourOf: (column: Column<T>) => Colour | null,
  ): Line =>
    shown.map((cell, i) => {
      const isLast = i === shown.length - 1;
      const text = (isLast ? fit : fill)(textOf(cell), cell.width);
      const colour = colourOf(cell.column);
      return {
        text: text + (isLast ? "" : GAP),
        paint: (piece) => paint(piece, colour),
      };
    });
  return [
    line(({ column }) => column.title, () => "dim"),
    ...rows.map((row, i) =>
      line(({ texts }) => texts[i]!, ({ colour }) => colour?.(row) ?? null)
    ),
  ];
}

/** The lines as texts of at most a width. */
export function textsOf(lines: readonly Line[], width: number): string[] {
  return lines.map((line) => {
    let room = width;
    return line.map(({ text, paint = (text: string) => text }) => {
      const cut = fit(text, room);
      room -= widthOf(cut);
      return paint(cut);
    }).join("").trimEnd();
  });
}

interface Sized<T> {
  column: Column<T>;
  texts: string[];
  natural: number;
}

/** The columns that there is room for, with their widths. */
function layOut<T>(
  all: readonly Sized<T>[],
  width: number,
): (Sized<T> & { width: number })[] {
  const room = width - GAP.length * (all.length - 1);
  const minWidthOf = ({ column, natural }: Sized<T>) =>
    Math.min(natural, column.minWidth ?? natural);
  const sum = (widths: number[]) => widths.reduce((a, b) => a + b, 0);
  if (sum(all.map(minWidthOf)) > room) {
    const [first] = all.filter(({ column }) => column.drop !== undefined)
      .sort((a, b) => b.column.drop! - a.column.drop!);
    if (first) return layOut(all.filter((one) => one !== first), width);
  }
  const widths = all.map(({ natural }) => natural);
  for (let over = sum(widths) - room; over > 0; over--) {
    // The widest of those that may shrink gives a column.
    let widest = -1;
    widths.forEach((w, i) => {
      if (w > minWidthOf(all[i]!) && w > (widths[widest] ?? 0)) widest = i;
    });
    if (widest < 0) break;
    widths[widest]!--;
  }
  return all.map((one, i) => ({ ...one, width: widths[i]! }));
}

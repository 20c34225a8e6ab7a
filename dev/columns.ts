/**
 * A table of texts.
 *
 * @module
 */

/** Rows in columns; a row may be shorter than the first. */
export function columns(rows: readonly string[][]): string {
  const whole = rows.filter((cells) => cells.length === rows[0]!.length);
  const widths = rows[0]!.map((_, column) =>
    Math.max(...whole.map((cells) => cells[column]!.length))
  );
  return rows.map((cells) =>
    cells.map((cell, column) => cell.padEnd(widths[column]!)).join("  ")
      .trimEnd()
  ).join("\n");
}

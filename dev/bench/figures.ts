/**
 * Figures, and the table that they end in.
 *
 * @module
 */

/** A row of the table. */
export interface Figure {
  /** What was measured. */
  what: string;
  /** Each measurement. */
  values: readonly number[];
  /** Of the values. */
  unit: string;
  /** What it is compared with in the same run, and how it comes off. */
  against?: { what: string; ratios: readonly number[] };
  /** What is aimed at: the most, or the least, that the row's last number may be. */
  aim?: { max: number } | { min: number };
}

/** The value below which a share of the values lies. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(share * (sorted.length - 1))] ?? NaN;
}

/** The value in the middle. */
export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** Each value of one list by that of another. */
export function ratios(
  values: readonly number[],
  others: readonly number[],
): number[] {
  return values.map((value, i) => value / others[i]!);
}

/** The table. */
export function table(figures: readonly Figure[]): string {
  const head = [
    "figure",
    "n",
    "median",
    "from",
    "to",
    "",
    "against",
    "ratio",
    "from",
    "to",
    "aim",
  ];
  const rows = figures.map(({ what, values, unit, against, aim }) => {
    const counts = against ? against.ratios : values;
    const middle = median(counts);
    const kept = aim &&
      ("max" in aim ? middle <= aim.max : middle >= aim.min);
    return [
      what,
      String(values.length),
      ...spread(values),
      unit,
      against?.what ?? "",
      ...(against ? spread(against.ratios) : ["", "", ""]),
      aim === undefined
        ? ""
        : `${"max" in aim ? `≤ ${aim.max}` : `≥ ${aim.min}`}${
          kept ? "" : " MISSED"
        }`,
    ];
  });
  const widths = head.map((_, i) =>
    Math.max(...[head, ...rows].map((row) => row[i]!.length))
  );
  const numbers = new Set([1, 2, 3, 4, 7, 8, 9]);
  const line = (row: string[]) =>
    row.map((cell, i) =>
      numbers.has(i) ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!)
    ).join("  ").trimEnd();
  return [
    line(head),
    line(widths.map((width) => "-".repeat(width))),
    ...rows.map(line),
  ].join("\n");
}

function spread(values: readonly number[]): string[] {
  return [0.5, 0, 1].map((share) => short(quantile(values, share)));
}

function short(value: number): string {
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return value.toFixed(digits);
}

/** What it was measured on. */
export async function machine(): Promise<string> {
  const cpu = /^model name\s*:\s*(.*)$/m.exec(
    await Deno.readTextFile("/proc/cpuinfo").catch(() => ""),
  )?.[1] ?? "unknown processor";
  const memory = Math.round(Deno.systemMemoryInfo().total / 2 ** 30);
  return `${navigator.hardwareConcurrency} cores (${cpu}), ${memory} GiB, ${Deno.build.os} ${Deno.osRelease()}, Deno ${Deno.version.deno}`;
}

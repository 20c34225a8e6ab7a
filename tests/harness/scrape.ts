/**
 * What a worker's metrics listener says, read as Prometheus reads it.
 *
 * @module
 */
import assert from "node:assert/strict";

/** A series' labels. */
export type Labels = Record<string, string>;

/** The metrics of one moment. */
export class Scrape {
  /** The type of each metric, by its name. */
  readonly types = new Map<string, string>();
  readonly #series = new Map<string, number>();

  private constructor(text: string) {
    const helped = new Set<string>();
    for (const line of text.split("\n")) {
      if (line === "") continue;
      const [, comment, name, rest] =
        /^# (HELP|TYPE) ([a-z_]+) (.+)$/.exec(line) ?? [];
      if (comment === "HELP") helped.add(name!);
      else if (comment === "TYPE") this.types.set(name!, rest!);
      else this.#add(line);
    }
    assert.deepEqual(helped, new Set(this.types.keys()));
  }

  /** Asks the listener on a port of this machine. */
  static async of(port: number): Promise<Scrape> {
    const response = await fetch(`http://127.0.0.1:${port}/metrics`);
    assert.equal(response.status, 200);
    assert.equal(
      response.headers.get("content-type"),
      "text/plain; version=0.0.4; charset=utf-8",
    );
    return new Scrape(await response.text());
  }

  /** A series' value; the series must be there. */
  value(name: string, labels: Labels = {}): number {
    const value = this.#series.get(key(`ansible_worker_${name}`, labels));
    assert.ok(value !== undefined, `there is no ${name} ${key("", labels)}`);
    return value;
  }

  /** The values of a metric by one of its labels, those of 0 left out. */
  by(name: string, label: string): Record<string, number> {
    const found: Record<string, number> = {};
    for (const [series, value] of this.#series) {
      const [, of] =
        new RegExp(`^ansible_worker_${name}\\{${label}=(.*)\\}$`).exec(
          series,
        ) ?? [];
      if (of !== undefined && value !== 0) found[of] = value;
    }
    return found;
  }

  /** The names of all labels. */
  labels(): string[] {
    const names = [...this.#series.keys()].flatMap((series) =>
      [...series.matchAll(/[{,]([a-z_]+)=/g)].map(([, name]) => name!)
    );
    return [...new Set(names)].sort();
  }

  #add(line: string): void {
    const [, name, list = "", value] =
      /^([a-z_]+)(?:\{(.*)\})? (-?[0-9.e+-]+|NaN|[+-]Inf)$/.exec(line) ?? [];
    assert.ok(name && value, `not a line of metrics: ${line}`);
    const family = name.replace(/_(bucket|sum|count)$/, "");
    assert.ok(this.types.has(name) || this.types.has(family), line);
    const labels: Labels = {};
    for (const [, label, text] of list.matchAll(/([a-z_]+)="([^"]*)",?/g)) {
      labels[label!] = text!;
    }
    this.#series.set(key(name, labels), Number(value));
  }
}

function key(name: string, labels: Labels): string {
  const list = Object.entries(labels).map(([label, text]) => `${label}=${text}`)
    .sort();
  return `${name}{${list.join(",")}}`;
}

/** What `/health` says: the HTTP status, and its JSON. */
export async function health(
  port: number,
): Promise<
  { status: number; healthy: boolean; state: string; reason?: string }
> {
  const response = await fetch(`http://127.0.0.1:${port}/health`);
  assert.equal(response.headers.get("content-type"), "application/json");
  return { status: response.status, ...await response.json() };
}

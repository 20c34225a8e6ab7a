/**
 * Telling what is wrong with a configuration: everything at once, and where.
 *
 * @module
 */
import type { z } from "zod";
import { configSchema, sections } from "./schema.ts";
import { type ConfigSource, showKey } from "./source.ts";

/** The configuration is not valid; the message has one line a problem. */
export class ConfigError extends Error {
  override name = "ConfigError";
}

/** Collects problems; no value of the configuration gets into them. */
export class Problems {
  readonly #file: string;
  readonly #source: ConfigSource;
  readonly #found: { offset: number; key: string; message: string }[] = [];

  /** No problem yet. */
  constructor(file: string, source: ConfigSource) {
    this.#file = file;
    this.#source = source;
  }

  /** Adds a problem of a key; only the first of each, as others follow from it. */
  add(path: readonly PropertyKey[], message: string): void {
    const key = path.map((name) => showKey(String(name))).join(".");
    const offset = this.#source.offsetOf(path);
    if (this.#all().some((found) => found.key === key && key !== "")) return;
    this.#found.push({ offset, key, message });
  }

  /** Adds what the schema objects to. */
  addIssue(issue: z.core.$ZodIssue): void {
    if (issue.code === "unrecognized_keys") {
      for (const name of issue.keys) {
        const path = [...issue.path, name];
        const near = nearest(name, issue.path.join("."));
        this.#found.push({
          offset: this.#source.offsetOf(path, { key: true }),
          key: path.map((part) => showKey(String(part))).join("."),
          message: `is not a key${near ? `; did you mean ${near}?` : ""}`,
        });
      }
      return;
    }
    const wantsMapping = issue.code === "invalid_type" &&
      issue.expected === "object";
    const isMissing = issue.code === "invalid_type" &&
      issue.input === undefined;
    this.add(
      issue.path,
      isMissing
        ? "is required"
        : wantsMapping
        ? "must be a mapping of keys to values"
        : issue.message,
    );
  }

  /** All of them, in the order of the lines. */
  lines(): string[] {
    const lines = this.#all().sort((a, b) => a.offset - b.offset).map(
      ({ offset, key, message }) => {
        const { line, column } = this.#source.place(offset);
        const subject = key === "" ? "" : `${key}: `;
        return `${this.#file}:${line}:${column}: ${subject}${message}`;
      },
    );
    return [...new Set(lines)];
  }

  #all() {
    return [...this.#source.problems, ...this.#found];
  }
}

/** All keys, as `section.key`. */
function allKeys(): string[] {
  return [
    ...Object.keys(configSchema.shape),
    ...Object.entries(sections).flatMap(([name, { shape }]) =>
      Object.keys(shape).map((key) => `${name}.${key}`)
    ),
  ];
}

/** The key that was probably meant, if there is one. */
function nearest(name: string, section: string): string | null {
  const parts = (key: string) => {
    const dot = key.lastIndexOf(".");
    return {
      section: key.slice(0, Math.max(dot, 0)),
      name: key.slice(dot + 1),
    };
  };
  const plain = (text: string) => text.toLowerCase().replaceAll(/[-_]/g, "");
  const candidates = allKeys().map((key) => {
    const other = parts(key);
    const far = distance(plain(name), plain(other.name));
    return { key, far, isHere: other.section === section };
  });
  const [here] = candidates.filter(({ isHere }) => isHere)
    .sort((a, b) => a.far - b.far);
  if (here && here.far <= Math.max(2, name.length / 3)) return here.key;
  return candidates.find(({ far }) => far === 0)?.key ?? null;
}

/** How many letters have to be changed, added or taken away. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      next[j] = Math.min(
        row[j]! + 1,
        next[j - 1]! + 1,
        row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1),
      );
    }
    row = next;
  }
  return row[b.length]!;
}

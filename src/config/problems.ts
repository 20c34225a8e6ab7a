/**
 * Telling what is wrong with a configuration: everything at once, and where.
 *
 * @module
 */
import type { z } from "zod";
import { distance, isNear } from "../nearest.ts";
import {
  configSchema,
  scheduleKeys,
  sections,
  templateKeys,
} from "./schema.ts";
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
        const near = nearest(name, issue.path);
        this.#found.push({
          offset: this.#source.offsetOf(path, { key: true }),
          key: path.map((part) => showKey(String(part))).join("."),
          message: `is not a key${near ? `; did you mean ${near}?` : ""}`,
        });
      }
      return;
    }
    if (issue.code === "invalid_key") {
      // What is wrong is the key itself, and the schema of keys says what.
      for (const { message } of issue.issues) {
        this.#found.push({
          offset: this.#source.offsetOf(issue.path, { key: true }),
          key: issue.path.map((part) => showKey(String(part))).join("."),
          message,
        });
      }
      return;
    }
    const wantsMapping = issue.code === "invalid_type" &&
      issue.expected === "object";
    const isMissing = issue.input === undefined &&
      (issue.code === "invalid_type" || issue.code === "invalid_union");
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

/** All keys, as `section.key`; those of templates, if it is one. */
function allKeys(path: readonly PropertyKey[]): string[] {
  if (path[0] === "templates" && path.length > 1) {
    const keys = path[2] === "schedule" ? scheduleKeys : templateKeys;
    return Object.keys(keys).map((key) =>
      `${path.map((part) => showKey(String(part))).join(".")}.${key}`
    );
  }
  return [
    ...Object.keys(configSchema.shape),
    ...Object.entries(sections).flatMap(([name, { shape }]) =>
      Object.keys(shape).map((key) => `${name}.${key}`)
    ),
  ];
}

/** The key that was probably meant, if there is one. */
function nearest(name: string, path: readonly PropertyKey[]): string | null {
  const section = path.map((part) => showKey(String(part))).join(".");
  const parts = (key: string) => {
    const dot = key.lastIndexOf(".");
    return {
      section: key.slice(0, Math.max(dot, 0)),
      name: key.slice(dot + 1),
    };
  };
  const plain = (text: string) => text.toLowerCase().replaceAll(/[-_]/g, "");
  const candidates = allKeys(path).map((key) => {
    const other = parts(key);
    const far = distance(plain(name), plain(other.name));
    return { key, far, isHere: other.section === section };
  });
  const [here] = candidates.filter(({ isHere }) => isHere)
    .sort((a, b) => a.far - b.far);
  if (here && isNear(here.far, name)) return here.key;
  return candidates.find(({ far }) => far === 0)?.key ?? null;
}

/**
 * What the program writes of its doings: one line each, as text or JSON.
 *
 * @module
 */

/** How much is written. */
export type LogLevel = "DEBUG" | "INFO" | "WARN" | "ERROR";

/** What an entry says beside its message. */
export type LogFields = Record<string, unknown>;

const LEVELS: readonly LogLevel[] = ["DEBUG", "INFO", "WARN", "ERROR"];

/** The longest text of one message or field, in characters. */
const MOST_CHARACTERS = 4096;

/** Writes entries of at least its level. */
export class Log {
  /** The least level that is written. */
  level: LogLevel;
  readonly #format: "text" | "json";
  readonly #write: (line: string) => void;
  readonly #secrets: string[];

  /**
   * Writes at least what the level says.
   *
   * @param options.write gets each line, without its end
   * @param options.secrets texts that are replaced by `***` wherever they occur
   */
  constructor(options: {
    level: LogLevel;
    format: "text" | "json";
    write(line: string): void;
    secrets?: readonly string[];
  }) {
    this.level = options.level;
    this.#format = options.format;
    this.#write = options.write;
    // The longest first, so that no part of a secret is left of one.
    this.#secrets = [...options.secrets ?? []].filter((s) => s.length > 0)
      .sort((a, b) => b.length - a.length);
  }

  /** For whoever looks for a fault of the program. */
  debug(message: string, fields?: LogFields): void {
    this.#entry("DEBUG", message, fields);
  }

  /** What happens in the course of things. */
  info(message: string, fields?: LogFields): void {
    this.#entry("INFO", message, fields);
  }

  /** What an operator may have to look at. */
  warn(message: string, fields?: LogFields): void {
    this.#entry("WARN", message, fields);
  }

  /** What an operator has to look at. */
  error(message: string, fields?: LogFields): void {
    this.#entry("ERROR", message, fields);
  }

  #entry(level: LogLevel, message: string, fields: LogFields = {}): void {
    if (LEVELS.indexOf(level) < LEVELS.indexOf(this.level)) return;
    const time = new Date().toISOString();
    const texts = Object.entries(fields)
      .filter(([, value]) => value !== undefined)
      .map(([name, value]): [string, string | number] => [
        name,
        typeof value === "number" ? value : this.#clean(textOf(value)),
      ]);
    const clean = this.#clean(message);
    if (this.#format === "json") {
      this.#write(
        JSON.stringify({
          time,
          level,
          message: clean,
          ...Object.fromEntries(texts),
        }),
      );
      return;
    }
    const told = texts.map(([name, value]) =>
      ` ${name}=${typeof value === "string" ? quoted(value) : value}`
    );
    this.#write(`${time} ${level.padEnd(5)} ${clean}${told.join("")}`);
  }

  /** One line, of bounded length, without secrets or control characters. */
  #clean(text: string): string {
    let clean = text;
    for (const secret of this.#secrets) clean = clean.replaceAll(secret, "***");
    if (clean.length > MOST_CHARACTERS) {
      clean = clean.slice(0, MOST_CHARACTERS) + "…";
    }
    return clean.replace(
      // Control characters, and what else a terminal or a reader of lines acts
      // upon: line separators and marks that turn the direction of text.
      // deno-lint-ignore no-control-regex
      /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g,
      (c) =>
        c === "\n"
          ? "\\n"
          : c === "\t"
          ? "\\t"
          : `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`,
    );
  }
}

function textOf(value: unknown): string {
  if (value instanceof Error) return value.message;
  return typeof value === "string" ? value : JSON.stringify(value);
}

function quoted(text: string): string {
  return /^[^\s"=]+$/.test(text) ? text : `"${text.replaceAll('"', '\\"')}"`;
}

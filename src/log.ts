/**
 * The log: one line for each entry, as text or JSON.
 *
 * Much of what is written was sent by somebody else. Whatever a line contains,
 * it stays one line of bounded length, cannot control a terminal, and shows no
 * secret.
 *
 * @module
 */
import { harmless, harmlessJson } from "./harmless.ts";

/** How severe an entry is; also the lowest level that is written. */
export type LogLevel = "DEBUG" | "INFO" | "WARN" | "ERROR";

/** Fields of an entry beside its message. */
export type LogFields = Record<string, unknown>;

const LEVELS: readonly LogLevel[] = ["DEBUG", "INFO", "WARN", "ERROR"];

/** The levels as the journal of systemd reads them (sd-daemon(3)). */
export const PRIORITIES: Readonly<Record<LogLevel, string>> = {
  DEBUG: "<7>",
  INFO: "<6>",
  WARN: "<4>",
  ERROR: "<3>",
};

/** The longest line, in bytes. */
const MAX_LINE_BYTES = 8192;

/** What the message may take of a line, and each of its fields, in bytes. */
const MAX_MESSAGE_BYTES = 4096;
const MAX_FIELD_BYTES = 2048;

/** What a line needs beside its texts, and for saying that it was cut. */
const SPARE_BYTES = 128;

/** What a field needs beside its name and its text. */
const FIELD_OVERHEAD_BYTES = 8;

/** What every entry has. */
const RESERVED: ReadonlySet<string> = new Set(["time", "level", "message"]);

/** JSON that needs no quotes. */
const BARE = /^(-?\d[\d.e+-]*|true|false|null)$/;

/** Writes entries of at least its level; never throws for what it is given. */
export class Log {
  /** The lowest level that is written. */
  level: LogLevel;
  readonly #format: "text" | "json";
  readonly #isJournal: boolean;
  readonly #write: (line: string) => void;
  #secrets: string[] = [];

  /**
   * Writes at least what the level says.
   *
   * @param options.journal whether the lines go to the journal, which has a time
   * of its own for each, and reads its priority from its beginning
   * @param options.write gets each line, without its end
   */
  constructor(options: {
    level: LogLevel;
    format: "text" | "json";
    journal?: boolean;
    write(line: string): void;
  }) {
    this.level = options.level;
    this.#format = options.format;
    this.#isJournal = options.journal ?? false;
    this.#write = options.write;
  }

  /** From now on `***` stands for these texts, wherever they occur. */
  redact(secrets: readonly string[]): void {
    // Also as they look inside of JSON, which messages may quote.
    const all = secrets.flatMap((text) => [text, inner(JSON.stringify(text))]);
    // The longest first: otherwise what is left of it could be read.
    this.#secrets = [...new Set([...this.#secrets, ...all])]
      .filter((text) => text !== "").sort((a, b) => b.length - a.length);
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
    const isJson = this.#format === "json";
    let room = MAX_LINE_BYTES - SPARE_BYTES;
    const fit = (
      text: string,
      max: number,
      encode: (text: string) => string,
    ) => {
      const encoded = cut(this.#hide(text), Math.min(max, room), encode);
      room -= bytes(encoded);
      return encoded;
    };
    const text = fit(message, MAX_MESSAGE_BYTES, isJson ? asJson : harmless);
    const parts: string[] = [];
    const { task_id, ...others } = fields;
    for (const [name, value] of Object.entries({ task_id, ...others })) {
      if (value === undefined) continue;
      // A field cannot take the place of what every entry has.
      const key = RESERVED.has(name) ? `${name}_` : name;
      room -= bytes(key) + FIELD_OVERHEAD_BYTES;
      if (room < SPARE_BYTES) {
        parts.push(isJson ? `"cut":true` : " …");
        break;
      }
      const text = textOf(value);
      const isBare = typeof value !== "string" && BARE.test(text) &&
        this.#hide(text) === text;
      const encoded = fit(text, MAX_FIELD_BYTES, asJson);
      parts.push(
        isJson
          ? `"${key}":${isBare ? encoded : `"${encoded}"`}`
          : ` ${key}=${
            /^[^\s"=\\]+$/.test(encoded) ? encoded : `"${encoded}"`
          }`,
      );
    }
    const priority = this.#isJournal ? PRIORITIES[level] : "";
    const begin = this.#isJournal ? priority : `${time} `;
    this.#write(
      isJson
        ? `${priority}{${
          [
            `"time":"${time}","level":"${level}","message":"${text}"`,
            ...parts,
          ].join(",")
        }}`
        : `${begin}${level.padEnd(5)} ${text}${parts.join("")}`,
    );
  }

  #hide(text: string): string {
    let hidden = text;
    for (const secret of this.#secrets) {
      hidden = hidden.replaceAll(secret, "***");
    }
    return hidden;
  }
}

/** A piece of text inside of a JSON string, every unsafe character escaped. */
function asJson(text: string): string {
  return harmlessJson(inner(JSON.stringify(text)));
}

/** Encodes as much of a text as has room, whole characters only. */
function cut(
  text: string,
  max: number,
  encode: (text: string) => string,
): string {
  // No character is shorter than a byte, so what lies beyond is cut anyway.
  const start = text.slice(0, max + 1);
  const whole = encode(start);
  if (start.length === text.length && bytes(whole) <= max) return whole;
  const kept: string[] = [];
  let room = max - bytes("…");
  for (const character of start) {
    const encoded = encode(character);
    room -= bytes(encoded);
    if (room < 0) break;
    kept.push(encoded);
  }
  return kept.join("") + "…";
}

const encoder = new TextEncoder();

function bytes(text: string): number {
  return encoder.encode(text).length;
}

/** A quoted text without its quotes. */
function inner(quotedText: string): string {
  return quotedText.slice(1, -1);
}

function textOf(value: unknown): string {
  if (typeof value === "string") return value;
  try {
    if (value instanceof Error) return value.message;
    return JSON.stringify(value) ?? String(value);
  } catch {
    // A cycle, a big integer, or a getter that throws: a log line is not worth
    // an error.
    return "(cannot be shown)";
  }
}

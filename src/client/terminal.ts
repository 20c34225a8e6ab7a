/**
 * The terminal that a client draws in, if it is one.
 *
 * @module
 */
import { environmentOf } from "../config/expand.ts";

/** Where a client writes. */
export interface Terminal {
  /** Whether what was written can be drawn over. */
  readonly isLive: boolean;
  /** Whether colours are wanted. */
  readonly hasColour: boolean;
  /** Its size at this moment; without a terminal there is no limit. */
  size(): { columns: number; rows: number };
  /** Writes a text. */
  write(text: string): void;
}

/** What a terminal is taken for that does not know its size. */
const FALLBACK_SIZE = { columns: 80, rows: 24 };

/**
 * Standard output.
 *
 * @param write writes a text to it
 */
export function standardOutput(write: (text: string) => void): Terminal {
  const isTerminal = Deno.stdout.isTerminal();
  const term = environmentOf("this")("TERM");
  const isDumb = "value" in term && term.value === "dumb";
  return {
    isLive: isTerminal && !isDumb,
    hasColour: isTerminal && !isDumb && !Deno.noColor,
    size: () => {
      if (!isTerminal) return { columns: Infinity, rows: Infinity };
      try {
        const { columns, rows } = Deno.consoleSize();
        return columns > 0 && rows > 0 ? { columns, rows } : FALLBACK_SIZE;
      } catch {
        return FALLBACK_SIZE;
      }
    },
    write,
  };
}

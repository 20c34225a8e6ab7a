/**
 * What strangers cause to be logged, rationed: whoever can publish could fill a
 * disk with a line for every message. What is left out is counted, so that the
 * log still says how much there was.
 *
 * @module
 */
import type { Log } from "./ports.ts";

/** The most lines of one window. */
const MAX_LINES = 50;

/** How long a window is, in milliseconds. */
const WINDOW_MS = 1000;

/** A log of bounded speed. */
export class LogRation implements Disposable {
  readonly #log: Pick<Log, "info" | "warn">;
  readonly #maxLines: number;
  readonly #windowMs: number;
  #logged = 0;
  #leftOut = 0;
  /** There is one while a window is open. */
  #timer: ReturnType<typeof setTimeout> | undefined;

  /**
   * Writes into a log.
   *
   * @param options.maxLines lines in one window
   * @param options.windowMs its length, in milliseconds
   */
  constructor(
    log: Pick<Log, "info" | "warn">,
    { maxLines = MAX_LINES, windowMs = WINDOW_MS }: {
      maxLines?: number;
      windowMs?: number;
    } = {},
  ) {
    this.#log = log;
    this.#maxLines = maxLines;
    this.#windowMs = windowMs;
  }

  /** What happens in the course of things. */
  info(message: string, fields?: Record<string, unknown>): void {
    if (this.#mayLog()) this.#log.info(message, fields);
  }

  /** What an operator may have to look at. */
  warn(message: string, fields?: Record<string, unknown>): void {
    if (this.#mayLog()) this.#log.warn(message, fields);
  }

  /** Says what was left out since the window began. */
  [Symbol.dispose](): void {
    this.#endWindow();
  }

  #endWindow(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#leftOut > 0) {
      this.#log.warn(
        "too many messages to log each of them; some were left out",
        {
          left_out: this.#leftOut,
        },
      );
    }
    this.#logged = this.#leftOut = 0;
  }

  #mayLog(): boolean {
    this.#timer ??= setTimeout(() => this.#endWindow(), this.#windowMs);
    if (this.#logged < this.#maxLines) {
      this.#logged++;
      return true;
    }
    this.#leftOut++;
    return false;
  }
}

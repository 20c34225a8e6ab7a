/**
 * What strangers cause to be logged, rationed: whoever can publish could fill a
 * disk with a line for every message. What is left out is counted, so that the
 * log still says how much there was.
 *
 * @module
 */
import type { Log } from "./ports.ts";

/** The most lines of one window. */
const MOST_LINES = 50;

/** How long a window is, in milliseconds. */
const WINDOW_MS = 1000;

/** A log of bounded speed. */
export class LogRation implements Disposable {
  readonly #log: Pick<Log, "info" | "warn">;
  readonly #most: number;
  readonly #windowMs: number;
  #told = 0;
  #leftOut = 0;
  /** There is one while a window is open. */
  #timer: ReturnType<typeof setTimeout> | undefined;

  /**
   * Writes into a log.
   *
   * @param options.most lines in one window
   * @param options.windowMs its length, in milliseconds
   */
  constructor(
    log: Pick<Log, "info" | "warn">,
    { most = MOST_LINES, windowMs = WINDOW_MS }: {
      most?: number;
      windowMs?: number;
    } = {},
  ) {
    this.#log = log;
    this.#most = most;
    this.#windowMs = windowMs;
  }

  /** What happens in the course of things. */
  info(message: string, fields?: Record<string, unknown>): void {
    if (this.#mayTell()) this.#log.info(message, fields);
  }

  /** What an operator may have to look at. */
  warn(message: string, fields?: Record<string, unknown>): void {
    if (this.#mayTell()) this.#log.warn(message, fields);
  }

  /** Says what was left out since the window began. */
  [Symbol.dispose](): void {
    this.#endWindow();
  }

  #endWindow(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#leftOut > 0) {
      this.#log.warn("more messages came than are told of one by one", {
        left_out: this.#leftOut,
      });
    }
    this.#told = this.#leftOut = 0;
  }

  #mayTell(): boolean {
    this.#timer ??= setTimeout(() => this.#endWindow(), this.#windowMs);
    if (this.#told < this.#most) {
      this.#told++;
      return true;
    }
    this.#leftOut++;
    return false;
  }
}

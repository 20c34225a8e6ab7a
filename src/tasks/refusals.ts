/**
 * What the broker refuses, and what is tried again all the same: an access rule
 * or a quota may change.
 *
 * @module
 */

/** The wait after the first refusal, and the longest, in milliseconds. */
const MIN_WAIT_MS = 1000;
const MAX_WAIT_MS = 60_000;

/** The reason code of what is too large for the broker (MQTT 5, 2.4). */
const PACKET_TOO_LARGE = 0x95;

/** Whether an error says that the broker has refused something. */
export function isRefusal(error: unknown): boolean {
  return typeof (error as { code?: unknown }).code === "number";
}

/** Whether an error says that a message is larger than the broker takes. */
export function isTooLarge(error: unknown): boolean {
  return (error as { code?: unknown }).code === PACKET_TOO_LARGE;
}

/** Refusals in a row. */
export class Refusals {
  #waitMs = MIN_WAIT_MS;

  /**
   * Counts one more.
   *
   * @returns whether it is the first one, and how long to wait before the next
   * attempt, in milliseconds
   */
  next(): { isFirst: boolean; waitMs: number } {
    const waitMs = this.#waitMs;
    this.#waitMs = Math.min(MAX_WAIT_MS, 2 * waitMs);
    return { isFirst: waitMs === MIN_WAIT_MS, waitMs };
  }

  /** The broker has taken what it was given. */
  end(): void {
    this.#waitMs = MIN_WAIT_MS;
  }
}

/**
 * Cancels of ids that are not here: the task may be on its way from one worker
 * to another, so they are remembered for a while.
 *
 * @module
 */

/** How long a cancel is remembered, in milliseconds. */
const REMEMBERED_MS = 60_000;

/** How many are remembered at the most; the oldest is forgotten first. */
const MOST = 10_000;

/** What is to be cancelled when it comes. */
export class RememberedCancels {
  readonly #reasons = new Map<string, { reason: string; until: number }>();

  /** Remembers a cancel. */
  add(taskId: string, reason: string): void {
    const now = Date.now();
    this.#reasons.delete(taskId);
    this.#reasons.set(taskId, { reason, until: now + REMEMBERED_MS });
    for (const [id, { until }] of this.#reasons) {
      if (until > now && this.#reasons.size <= MOST) break;
      this.#reasons.delete(id);
    }
  }

  /** The reason for which a task is to be cancelled, once; null if it is not. */
  take(taskId: string): string | null {
    const found = this.#reasons.get(taskId);
    this.#reasons.delete(taskId);
    return found && found.until > Date.now() ? found.reason : null;
  }
}

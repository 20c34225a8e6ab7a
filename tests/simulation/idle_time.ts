/**
 * For how long tasks wait while a worker is idle that could run them.
 *
 * @module
 */

/** The books of a group of workers with one slot each. */
export class IdleTime {
  readonly #workers: number;
  readonly #now: () => number;
  /** Tasks that wait, the oldest first, and when they could have begun. */
  readonly #waiting = new Map<string, number | null>();
  /** The longest time for which each task could have begun, and had not. */
  readonly #waits = new Map<string, number>();
  #running = 0;

  /**
   * Nobody works yet.
   *
   * @param now the time in milliseconds
   */
  constructor(workers: number, now: () => number) {
    this.#workers = workers;
    this.#now = now;
  }

  /** A request is published. */
  asked(taskId: string): void {
    this.#waiting.set(taskId, null);
    this.#update();
  }

  /** A run begins; it tells when it is over. */
  started(taskId: string, ran: { isOver: boolean }): void {
    this.#running++;
    this.#stop(taskId);
    this.#waiting.delete(taskId);
    this.#update();
    let isOver = false;
    Object.defineProperty(ran, "isOver", {
      get: () => isOver,
      set: (value: boolean) => {
        if (value && !isOver) this.#running--;
        isOver = value;
        this.#update();
      },
    });
  }

  /** How long tasks have waited for nothing, in milliseconds. */
  waits(): { median: number; p99: number; max: number } {
    const waits = [...this.#waits.values()].sort((a, b) => a - b);
    const at = (share: number) =>
      waits[Math.min(waits.length - 1, Math.floor(share * waits.length))] ?? 0;
    return { median: at(0.5), p99: at(0.99), max: at(1) };
  }

  /** As many of the oldest could run as there are idle workers. */
  #update(): void {
    let idle = this.#workers - this.#running;
    for (const [taskId, since] of this.#waiting) {
      if (idle-- <= 0) this.#stop(taskId);
      else if (since === null) this.#waiting.set(taskId, this.#now());
    }
  }

  #stop(taskId: string): void {
    const since = this.#waiting.get(taskId) ?? null;
    if (since === null) return;
    this.#waiting.set(taskId, null);
    this.#waits.set(
      taskId,
      Math.max(this.#waits.get(taskId) ?? 0, this.#now() - since),
    );
  }
}

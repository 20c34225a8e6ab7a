/**
 * Where a worker stands, on two axes.
 *
 * Its **phase** is what it does for the group:
 *
 * - **starting**: Ansible is ready, the connections are being made, and what an
 *   earlier process of this worker has left behind is being put in order. What
 *   comes in meanwhile is kept back.
 * - **working**: it takes requests and starts tasks.
 * - **draining**: a signal has come. It starts nothing more, gives what waits
 *   here to peers, and lets what runs go on for a while.
 * - **stopped**: nothing of it happens any more. A worker that is still starting
 *   stops at once: what it has taken up again stays in its records.
 *
 * Its **link** is what it has of the broker:
 *
 * - **down**: no control connection. What runs goes on; nothing starts.
 * - **control**: the control connection is there, so statuses can be looked up
 *   and published; but requests cannot come, or it is in doubt whether what this
 *   worker holds is still its own: the group may have given up on it while it
 *   was away.
 * - **both**: both connections are ready, and what it holds is its own.
 *
 * Reclaiming is no phase of its own: a worker that drains may have to reclaim,
 * too, and what must not happen meanwhile is what must not happen without a
 * connection. So the link stays at `control` until it is through.
 *
 * All else that is asked of a worker's life is derived from the two.
 *
 * @module
 */
import type { Readings } from "../metrics/readings.ts";

/** What the worker does for the group. */
export type Phase = "starting" | "working" | "draining" | "stopped";

/** What the worker has of the broker. */
export type LinkState = "down" | "control" | "both";

/** Both axes: from each state, those that may follow it. */
const MOVES: Record<Phase | LinkState, readonly (Phase | LinkState)[]> = {
  starting: ["working", "stopped"],
  working: ["draining", "stopped"],
  draining: ["stopped"],
  stopped: [],

  down: ["control"],
  control: ["down", "both"],
  both: ["down", "control"],
};

/** Where one worker stands. */
export class Lifecycle {
  readonly #log: { debug(message: string): void };
  readonly #onConnected: (how: { first: boolean }) => void;
  readonly #failed = Promise.withResolvers<never>();
  readonly #waiting: { fits: () => boolean; settle: () => void }[] = [];
  #phase: Phase = "starting";
  #link: LinkState = "down";

  /**
   * Starting, with no connection.
   *
   * @param options.onConnected called whenever `isConnected` becomes true;
   * `first`: the worker has just become ready for its first task
   */
  constructor(options: {
    log: { debug(message: string): void };
    onConnected(how: { first: boolean }): void;
  }) {
    this.#log = options.log;
    this.#onConnected = options.onConnected;
    // Whoever runs the worker listens; a failure before that is not lost.
    this.#failed.promise.catch(() => {});
  }

  /** What the worker does for the group. */
  get phase(): Phase {
    return this.#phase;
  }

  /** What the worker has of the broker. */
  get link(): LinkState {
    return this.#link;
  }

  /**
   * Whether what comes in is kept back: while this worker does not know yet what
   * it has, or what the others have.
   */
  get keepsBack(): boolean {
    return this.#phase === "starting" || this.#link !== "both";
  }

  /** Whether tasks can be taken, handed over, and followed to their ends. */
  get isConnected(): boolean {
    return this.#link === "both" &&
      (this.#phase === "working" || this.#phase === "draining");
  }

  /** Whether a waiting task may start. */
  get mayStart(): boolean {
    return this.isConnected && this.#phase === "working";
  }

  /** What the worker is to whoever asks for its health. */
  get standing(): Readings["standing"] {
    if (this.#phase === "starting") return "starting";
    if (this.#phase !== "working") return "draining";
    return this.isConnected ? "online" : "offline";
  }

  /** Rejects when something has happened with which no worker can go on. */
  get failed(): Promise<never> {
    return this.#failed.promise;
  }

  /**
   * Moves along one of the axes; to stay is no move.
   *
   * @throws {TypeError} the table has no such move
   */
  move(to: Phase | LinkState): void {
    const from = isLinkState(to) ? this.#link : this.#phase;
    if (from === to) return;
    if (!MOVES[from].includes(to)) {
      throw new TypeError(`Cannot move the worker from ${from} to ${to}`);
    }
    const wasConnected = this.isConnected;
    if (isLinkState(to)) this.#link = to;
    else this.#phase = to;
    this.#log.debug(
      `${isLinkState(to) ? "link" : "phase"}: ${from} → ${to}`,
    );
    for (const waiting of this.#waiting.splice(0)) {
      if (waiting.fits()) waiting.settle();
      else this.#waiting.push(waiting);
    }
    if (!wasConnected && this.isConnected) {
      this.#onConnected({ first: from === "starting" });
    }
  }

  /** The worker cannot go on. */
  fail(error: unknown): void {
    this.#failed.reject(error);
  }

  /** Settles when there is a control connection. */
  untilLinked(): Promise<void> {
    return this.#until(() => this.#link !== "down");
  }

  /** Settles when both connections are ready, in whichever phase. */
  untilBoth(): Promise<void> {
    return this.#until(() => this.#link === "both");
  }

  /** Settles when both connections are ready, or the worker stops. */
  untilBothOrOver(): Promise<void> {
    return this.#until(() =>
      this.#link === "both" || this.#phase === "draining" ||
      this.#phase === "stopped"
    );
  }

  #until(fits: () => boolean): Promise<void> {
    if (fits()) return Promise.resolve();
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.push({ fits, settle: resolve });
    return promise;
  }
}

function isLinkState(state: Phase | LinkState): state is LinkState {
  return state === "down" || state === "control" || state === "both";
}

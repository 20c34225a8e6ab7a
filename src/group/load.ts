/**
 * This worker's load, as peers see it.
 *
 * Peers with a backlog need to know who would start a task at once, and who has
 * room: changes of that are published as they happen. How many wait, and how
 * much room there is, is for people and may be some seconds old.
 *
 * A worker that is idle says so again, ever more rarely: one peer alone hears of
 * each load (see `idle_search.ts`), and that one may have died, or have nothing
 * left to hand over.
 *
 * @module
 */
import type { Load } from "../messages/presence.ts";
import type { Channel, Log } from "../tasks/ports.ts";

/** How old may be what no peer has to know at once, in milliseconds. */
const LAZY_MS = 5000;

/** When a worker that is idle says so again for the first time, in milliseconds. */
const REPEAT_MS = 2000;

/** How much longer it waits each time. */
const REPEAT_FACTOR = 4;

/** A load before it is published. */
type Measured = Omit<Load, "worker_id" | "seq">;

/** What reporting the load needs. */
export interface LoadReportOptions {
  channel: Pick<Channel, "publish">;
  /** This worker's load topic. */
  topic: string;
  workerId: string;
  log: Log;
  /** The load at this moment. */
  measure(): Measured;
  /** Whether there are no peers. */
  isAlone(): boolean;
}

/** Publishes the load when somebody has to know. */
export class LoadReport implements Disposable {
  readonly #options: LoadReportOptions;
  #last: Measured | null = null;
  /** Tasks that peers have handed over, and that are not accepted yet. */
  #arriving = 0;
  /** Goes on rising when this worker is started again. */
  #seq = Date.now();
  #again = false;
  /** There is one from a change to the look at what it comes to. */
  #look: ReturnType<typeof setTimeout> | undefined;
  #lazy: ReturnType<typeof setTimeout> | undefined;
  #repeat: ReturnType<typeof setTimeout> | undefined;

  /** Publishes nothing before `update()`. */
  constructor(options: LoadReportOptions) {
    this.#options = options;
  }

  /**
   * Publishes the load if it has changed, at once or in a while.
   *
   * @param options.again at once, even if it has not
   */
  update(options: { again?: boolean } = {}): void {
    this.#again ||= options.again ?? false;
    // What changes to and fro in one turn is one change.
    this.#look ??= setTimeout(() => {
      this.#look = undefined;
      this.#publishIfDue();
    }, 0);
  }

  /**
   * A peer hands a task over: from now on this worker is not idle for others,
   * and when it has accepted it, its load is published in any case. Until then
   * the peer offers it no other one.
   */
  arriving(accepted: Promise<void>): void {
    this.#arriving++;
    this.update();
    void accepted.then(() => {
      this.#arriving--;
      this.update({ again: true });
    });
  }

  /** Nothing is published later by itself. */
  [Symbol.dispose](): void {
    for (const timer of [this.#look, this.#lazy, this.#repeat]) {
      clearTimeout(timer);
    }
  }

  #measure(): Measured {
    const measured = this.#options.measure();
    return {
      ...measured,
      free_slots: Math.max(0, measured.free_slots - this.#arriving),
    };
  }

  #publishIfDue(): void {
    const measured = this.#measure();
    const last = this.#last;
    if (
      this.#again || last === null || isIdle(last) !== isIdle(measured) ||
      (last.room > 0) !== (measured.room > 0)
    ) return this.#publish(measured);
    if (JSON.stringify(measured) === JSON.stringify(last)) return;
    this.#lazy ??= setTimeout(
      () => this.#publish(this.#measure()),
      LAZY_MS,
    );
  }

  #publish(measured: Measured, repeatMs = REPEAT_MS): void {
    const { channel, isAlone, log, topic, workerId } = this.#options;
    this.#last = measured;
    this.#again = false;
    clearTimeout(this.#lazy);
    this.#lazy = undefined;
    clearTimeout(this.#repeat);
    const load: Load = {
      worker_id: workerId,
      ...measured,
      seq: ++this.#seq,
    };
    channel.publish({
      topic,
      payload: JSON.stringify(load),
      qos: 1,
      retain: true,
      replaceable: true,
    }).catch((error) => log.warn("cannot publish the load", { error }));
    if (!isIdle(measured)) return;
    this.#repeat = setTimeout(() => {
      const now = this.#measure();
      if (isIdle(now) && !isAlone()) {
        this.#publish(now, repeatMs * REPEAT_FACTOR);
      }
    }, repeatMs);
  }
}

/** Whether a worker with this load would start a task at once. */
export function isIdle({ free_slots, queued }: Measured): boolean {
  return free_slots > 0 && queued === 0;
}

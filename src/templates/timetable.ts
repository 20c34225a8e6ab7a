/**
 * Asks for what is due: every worker of a group publishes the same request at
 * the same time, and since that has the same id everywhere, it is run once.
 *
 * A time is **due** from its second on for `ON_TIME_MS`, so that a worker that is
 * busy, or reconnects, is not too late for it. Later it is **missed**: others
 * have asked for it, or nobody was there. Then it is asked for again only with
 * `catch_up`, and of several only the last one; if others have, the status of its
 * id says so to whoever gets the request.
 *
 * @module
 */
import type { Schedule } from "./schedule.ts";
import { scheduledId } from "./scheduled_id.ts";

/** How late a time may be asked for without having been missed. */
const ON_TIME_MS = 30_000;

/** The longest wait; the host's clock may be set meanwhile. */
const MAX_WAIT_MS = 30_000;

/** What time it is, and how to wait. */
export interface Clock {
  /** In milliseconds since 1970. */
  now(): number;
  /** Calls once after so many milliseconds, unless what it returns is called. */
  after(ms: number, call: () => void): () => void;
}

/** This host's clock. */
export const HOST_CLOCK: Clock = {
  now: () => Date.now(),
  after: (ms, call) => {
    const timer = setTimeout(call, ms);
    return () => clearTimeout(timer);
  },
};

/** What a timetable needs. */
export interface TimetableOptions {
  /** The schedules at this moment, by the names of their templates. */
  schedules(): ReadonlyMap<string, Schedule>;
  /** Whether something can be asked for at this moment. */
  isReady(): boolean;
  /** Asks for a run. */
  publish(request: { task_id: string; template: string }): void;
  /** How long what became of a run is known, in seconds; 0: for ever. */
  retentionSeconds: number;
  clock?: Clock;
}

/** Asks for what is due. */
export class Timetable implements Disposable {
  readonly #options: TimetableOptions;
  readonly #clock: Clock;
  /** Until when each schedule was dealt with, by its template and what it says. */
  #until = new Map<string, number>();
  #stopWaiting: () => void = () => {};

  /** Nothing is asked for before the first `update()`. */
  constructor(options: TimetableOptions) {
    this.#options = options;
    this.#clock = options.clock ?? HOST_CLOCK;
  }

  /** Looks what is due; call it when schedules have changed, or it is ready. */
  update(): void {
    this.#stopWaiting();
    const now = this.#clock.now();
    const schedules = [...this.#options.schedules()];
    const until = new Map<string, number>();
    for (const [template, schedule] of schedules) {
      const key = JSON.stringify([template, schedule.spec]);
      // What is new here has missed nothing, unless it is to be made up for.
      const first = schedule.spec.catch_up ? 0 : now;
      // The clock may have been far ahead.
      const from = Math.min(this.#until.get(key) ?? first, now);
      if (!this.#options.isReady()) {
        until.set(key, from);
        continue;
      }
      until.set(key, now);
      for (const time of this.#due(schedule, { from, now })) {
        this.#options.publish({
          task_id: scheduledId(template, time),
          template,
        });
      }
    }
    this.#until = until;
    const next = schedules.map(([, schedule]) =>
      (schedule.next(new Date(now))?.getTime() ?? Infinity) - now
    );
    if (schedules.length === 0) return;
    this.#stopWaiting = this.#clock.after(
      Math.max(1, Math.min(MAX_WAIT_MS, ...next)),
      () => this.update(),
    );
  }

  /** Nothing is asked for any more. */
  [Symbol.dispose](): void {
    this.#stopWaiting();
  }

  #due(
    schedule: Schedule,
    { from, now }: { from: number; now: number },
  ): Date[] {
    const onTime = schedule.between(
      new Date(Math.max(from, now - ON_TIME_MS)),
      new Date(now),
    );
    if (onTime.length > 0 || !schedule.spec.catch_up) return onTime;
    const last = schedule.last(new Date(now));
    const { retentionSeconds } = this.#options;
    const isKnown = last !== null && (retentionSeconds === 0 ||
      now - last.getTime() < retentionSeconds * 1000);
    return isKnown && last.getTime() > from ? [last] : [];
  }
}

/**
 * When a template is due: a cron expression, and the time zone that it is meant
 * in.
 *
 * Where a clock is put forward, a time that is left out comes when the clock has
 * been; where it is put back, a time that comes twice is meant once. What is
 * meant each hour, or each so many minutes, goes on evenly in both.
 *
 * @module
 */
import { Cron } from "croner";
import { quote } from "../quote.ts";
import { nearestOf } from "../nearest.ts";

/** A schedule as it is configured. */
export interface ScheduleSpec {
  /** Five fields, or six with seconds before them; or `@daily` and the like. */
  readonly cron: string;
  /** A name of the IANA time zone database. */
  readonly time_zone: string;
  /** Whether a time at which no worker was there is made up for. */
  readonly catch_up: boolean;
}

/** There are no times by what is configured. */
export class ScheduleError extends Error {
  override name = "ScheduleError";

  constructor(readonly key: "cron" | "time_zone", message: string) {
    super(message);
  }
}

/** The most times that are told at once. */
const MAX_TIMES = 100;

/** What is no event but a time. */
const NAMED = /^@(yearly|annually|monthly|weekly|daily|midnight|hourly)$/i;

/** The times of a template. */
export class Schedule {
  readonly spec: ScheduleSpec;
  readonly #cron: Cron;

  /** @throws {ScheduleError} it never comes, or there is no such time zone */
  constructor(spec: ScheduleSpec) {
    this.spec = spec;
    const { cron, time_zone } = spec;
    checkZone(time_zone);
    // Years, and dates, would be over one day, and the configuration wrong.
    if (
      !NAMED.test(cron) && ![5, 6].includes(cron.trim().split(/\s+/).length)
    ) {
      throw new ScheduleError(
        "cron",
        "must have five fields (minute, hour, day of the month, month, day of the week), or six with seconds before them",
      );
    }
    try {
      this.#cron = new Cron(cron, { paused: true, timezone: time_zone });
    } catch (error) {
      throw new ScheduleError(
        "cron",
        `is not a cron expression: ${
          (error as Error).message.replace(/^CronPattern: /, "")
        }`,
      );
    }
    if (this.next(new Date()) === null) {
      throw new ScheduleError("cron", "never comes");
    }
  }

  /** The first time after a moment. */
  next(after: Date): Date | null {
    return this.#cron.nextRun(after);
  }

  /** The last time before a moment, or at it. */
  last(until: Date): Date | null {
    // It looks at whole seconds, and for times before.
    const second = Math.floor(until.getTime() / 1000) * 1000;
    const [last] = this.#cron.previousRuns(1, new Date(second + 1000));
    return last ?? null;
  }

  /** The times after one moment up to another, the latest hundred of them. */
  between(after: Date, until: Date): Date[] {
    const times: Date[] = [];
    for (
      let time = this.last(until);
      time && time > after && times.length < MAX_TIMES;
      time = this.last(new Date(time.getTime() - 1))
    ) times.unshift(time);
    return times;
  }

  /** Whether a moment is one of its times. */
  has(time: Date): boolean {
    return this.last(time)?.getTime() === time.getTime();
  }
}

function checkZone(name: string): void {
  try {
    new Intl.DateTimeFormat("en", { timeZone: name });
  } catch {
    const near = nearestOf(name, Intl.supportedValuesOf("timeZone"));
    throw new ScheduleError(
      "time_zone",
      `there is no time zone ${quote(name)}${
        near === null ? "" : `; did you mean ${near}?`
      }`,
    );
  }
}

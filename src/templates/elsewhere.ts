/**
 * What schedules of other workers ask for: whoever gets such a request, and has
 * not its template, hands it to one that has.
 *
 * @module
 */
import type { TaskRequest } from "../messages/task_request.ts";
import { Schedule, ScheduleError, type ScheduleSpec } from "./schedule.ts";
import { isDueBy, timeOfRequest } from "./template.ts";

/**
 * The time at which a schedule of another worker asks for exactly this, if that
 * is due; null if none does.
 */
export function dueElsewhere(
  request: TaskRequest,
  { specs, now }: { specs: readonly ScheduleSpec[]; now: Date },
): Date | null {
  const time = timeOfRequest(request);
  if (time === null) return null;
  const isDue = specs.some((spec) => {
    const schedule = scheduleOf(spec);
    return schedule !== null && schedule.has(time) &&
      isDueBy(schedule, { time, now });
  });
  return isDue ? time : null;
}

/** Null for one of which this worker makes no sense. */
function scheduleOf(spec: ScheduleSpec): Schedule | null {
  try {
    return new Schedule(spec);
  } catch (error) {
    if (error instanceof ScheduleError) return null;
    throw error;
  }
}

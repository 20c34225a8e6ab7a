/**
 * What a group of workers promises of each task, judged by what was said of it
 * and by what really ran. The random runs on real brokers and the simulated ones
 * are judged by the same.
 *
 * @module
 */
import type { TaskStatus } from "../../src/messages/task_status.ts";

/** What is promised of a task. */
export type TaskPromise =
  /** It has a final status. */
  | "ends"
  /** It has one final status, and no other. */
  | "ends once"
  /** It is started at most once. */
  | "starts once"
  /** What was said of it is what has happened. */
  | "is told truly";

/** A promise that was not kept. */
export interface BrokenTaskPromise {
  /** Which one. */
  promise: TaskPromise;
  /** What is wrong. */
  text: string;
}

/**
 * Judges one task.
 *
 * @param options.finals its final statuses, each once
 * @param options.starts how often it was started
 * @param options.ends how often a run of it came to its own end
 */
export function judgeTask(
  { finals, starts, ends }: {
    finals: readonly TaskStatus[];
    starts: number;
    ends: number;
  },
): BrokenTaskPromise[] {
  const broken: BrokenTaskPromise[] = [];
  const breaks = (promise: TaskPromise, text: string) =>
    broken.push({ promise, text });
  if (finals.length === 0) breaks("ends", "it has no final status");
  if (finals.length > 1) {
    breaks(
      "ends once",
      `it has ${finals.length} final statuses: ${
        finals.map(({ state, worker_id }) => `${state} (${worker_id})`)
          .join(", ")
      }`,
    );
  }
  if (starts > 1) breaks("starts once", `it was started ${starts} times`);
  for (const final of finals) {
    if (final.state === "success" && (starts === 0 || ends === 0)) {
      breaks("is told truly", "it is said to be a success, and has not run");
    }
    // A run that nobody knew of would be one that could be repeated.
    if (
      starts > 0 && final.started_at === null &&
      !/the worker stopped while this task/.test(final.error_message ?? "")
    ) {
      breaks("is told truly", "it was started, and its final status is silent");
    }
  }
  return broken;
}

/**
 * Requests that pile up while the only worker is down, until all are done.
 *
 * @module
 */
import { backlogRun } from "../../tests/faults/backlog_run.ts";
import type { Figure } from "./figures.ts";

const TASKS = 1000;

/** With three slots. */
export async function backlog(): Promise<Figure[]> {
  const { seconds, before, most, obeyed } = await backlogRun(TASKS);
  const what = `backlog of ${TASKS.toLocaleString("en")}`;
  return [
    {
      what: `${what}: done`,
      values: [TASKS / seconds * 60],
      unit: "tasks/min",
    },
    {
      what: `${what}: memory at most`,
      values: [most],
      unit: "MB",
      against: { what: "at the start", ratios: [most / before] },
    },
    {
      what: `${what}: a cancel is obeyed in`,
      values: [obeyed * 1000],
      unit: "ms",
    },
  ];
}

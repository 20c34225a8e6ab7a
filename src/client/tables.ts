/**
 * What is shown of tasks and of workers.
 *
 * @module
 */
import type { Load, Presence } from "../messages/presence.ts";
import { colourOf } from "./colours.ts";
import { nextTime, type Offer, variablesOf } from "./offers.ts";
import { elapsed, type ReceivedStatus, share, situation } from "./progress.ts";
import type { Column } from "./table.ts";

/** A time as people write it; UTC, as in the messages. */
function time(text: string): string {
  return text.slice(0, 19).replace("T", " ") + "Z";
}

/** Tasks. */
export const TASK_COLUMNS: readonly Column<ReceivedStatus>[] = [
  // As long as the ids that we make: cut, it could not be cancelled.
  { title: "TASK", text: ({ status }) => status.task_id, minWidth: 22 },
  {
    title: "STATE",
    text: ({ status }) => status.state,
    colour: ({ status }) => colourOf(status.state),
  },
  { title: "DONE", text: ({ status }) => share(status), drop: 1 },
  { title: "TIME", text: (received) => elapsed(received), drop: 2 },
  {
    title: "WORKER",
    text: ({ status }) => status.worker_id,
    minWidth: 8,
    drop: 4,
  },
  {
    title: "PLAYBOOK",
    text: ({ status }) => status.playbook ?? "-",
    minWidth: 8,
    drop: 5,
  },
  {
    title: "CREATED",
    text: ({ status }) => time(status.created_at),
    drop: 6,
  },
  {
    title: "NOW",
    text: ({ status, holder }) => situation(status, { holder: holder ?? null }),
    minWidth: 20,
    drop: 3,
  },
];

/** Tasks that are watched. */
export const WATCH_COLUMNS: readonly Column<ReceivedStatus>[] = TASK_COLUMNS
  .filter((
    { title },
  ) => title !== "CREATED");

/** A worker, by its presence and its load. */
export interface WorkerRow {
  presence: Presence;
  /** Its load, if it has told it. */
  load: Load | undefined;
}

/** Workers. */
export const WORKER_COLUMNS: readonly Column<WorkerRow>[] = [
  { title: "WORKER", text: ({ presence }) => presence.worker_id, minWidth: 8 },
  {
    title: "STATE",
    text: ({ presence }) => presence.state,
    colour: ({ presence }) => presence.state === "online" ? "green" : "yellow",
  },
  {
    title: "FREE",
    text: ({ presence, load }) =>
      presence.state === "online" && load
        ? `${load.free_slots}/${presence.slots}`
        : `-/${presence.slots}`,
    drop: 1,
  },
  {
    title: "WAITING",
    text: ({ presence, load }) =>
      presence.state === "online" && load ? String(load.queued) : "-",
    drop: 2,
  },
  {
    title: "HOST",
    text: ({ presence }) => presence.host,
    minWidth: 8,
    drop: 6,
  },
  { title: "VERSION", text: ({ presence }) => presence.version, drop: 5 },
  {
    title: "ANSIBLE",
    text: ({ presence }) => presence.ansible_version,
    drop: 4,
  },
  {
    title: "SINCE",
    text: ({ presence }) => time(presence.started_at),
    drop: 3,
  },
];

/** The same, where playbooks come from git. */
export const WORKER_COLUMNS_WITH_CONTENT: readonly Column<WorkerRow>[] = [
  ...WORKER_COLUMNS,
  {
    title: "COMMIT",
    text: ({ presence: { content } }) =>
      content
        ? `${content.revision.slice(0, 10)}${
          content.problem === null ? "" : " (!)"
        }`
        : "-",
    drop: 7,
  },
];

/** Templates. */
export const TEMPLATE_COLUMNS: readonly Column<Offer>[] = [
  { title: "TEMPLATE", text: ({ name }) => name, minWidth: 12 },
  {
    title: "VARIABLES (* REQUIRED)",
    text: (offer) => variablesOf(offer),
    minWidth: 12,
    drop: 1,
  },
  {
    title: "MAY SET",
    text: ({ may_set }) => may_set.join(", "),
    minWidth: 8,
    drop: 4,
  },
  {
    title: "NEXT",
    text: (offer) => {
      const next = nextTime(offer);
      return next === null ? "-" : time(next.toISOString());
    },
    drop: 5,
  },
  {
    title: "WORKERS",
    text: ({ workers }) => workers.join(", "),
    minWidth: 8,
    drop: 3,
  },
  {
    title: "DESCRIPTION",
    text: ({ description }) => description,
    minWidth: 16,
    drop: 2,
  },
];

/** How a group is, on one line. */
export function groupSummary(
  group: string,
  { workers, states }: { workers: number; states: readonly string[] },
): string {
  const count = (state: string) =>
    states.filter((other) => other === state).length;
  return `${group}: ${workers} ${
    workers === 1 ? "worker" : "workers"
  } online, ${count("running")} running, ${count("queued")} queued`;
}

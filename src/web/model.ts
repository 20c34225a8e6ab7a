/**
 * What the pages are made of: plain shapes, without the database and without
 * HTML. Times are ISO 8601 in UTC; a page shows them in its reader's zone.
 * Every text in here came by a message, and is hostile until it is escaped.
 *
 * @module
 */
import type { TaskState } from "../messages/task_status.ts";
import type { Presence } from "../messages/presence.ts";

/** What a user may do: a viewer looks, an operator also cancels and submits. */
export type Role = "viewer" | "operator";

/** Who looks at a page, and what of `web.allow` they may do. */
export interface Viewer {
  /** null where nobody has to log in. */
  name: string | null;
  /** As which of the two. */
  role: Role;
  /** What is allowed here, to this one. */
  may: { cancel: boolean; submit: boolean };
  /** Whether there is a session to log out of. */
  canLogOut: boolean;
}

/** What every page needs to know, whatever it shows. */
export interface PageContext {
  viewer: Viewer;
  /** Stands before every path of ours: "" or "/some/path", without a last slash. */
  base: string;
  /** `<prefix>/<group>`. */
  group: string;
  /** Whether the broker is connected, so that what is shown is live. */
  isConnected: boolean;
  /** Since when it is so, or is not. */
  since: string;
}

/** A task in a list. */
export interface TaskRow {
  /** Of this page's own, for the ids of elements: rises with time. */
  key: number;
  taskId: string;
  state: TaskState;
  playbook: string | null;
  /** One or several, with commas. */
  inventory: string | null;
  template: string | null;
  workerId: string;
  createdAt: string;
  startedAt: string | null;
  completedAt: string | null;
  /** Seconds that the run took, or has taken when this was said. */
  durationSeconds: number | null;
  /** When this was said, so that a page can go on counting. */
  updatedAt: string;
  /** Results that are there, and that are expected. */
  done: number;
  total: number;
  counts: Counts;
  /** The lock with which it waits for others. */
  lock: string | null;
  /** The play task that runs; of a queued task, the lock that it waits for. */
  currentTask: string | null;
  /** Why it failed or was ended, in full. */
  errorMessage: string | null;
}

/** The columns of PLAY RECAP, summed up over all hosts. */
export interface Counts {
  ok: number;
  changed: number;
  failed: number;
  unreachable: number;
  skipped: number;
  rescued: number;
  ignored: number;
}

/** A task, on its own page. */
export interface TaskDetail extends TaskRow {
  returnCode: number | null;
  failedHosts: { names: string[]; more: number };
  unreachableHosts: { names: string[]; more: number };
  /** Of a queued task, what it waits for, as a sentence; null for any other. */
  waitsFor: string | null;
  /** What set_stats has left. */
  stats: unknown;
  /** Each state that it was in, and with which worker. */
  moves: { at: string; state: TaskState; workerId: string }[];
  /** What failed, in order; at most 200, and how many there are beyond. */
  failures: Failure[];
  moreFailures: number;
  /** Of the run's plays and play tasks, when each began, in order. */
  plays: PlaySpan[];
  /** Whether its worker publishes events, or has so far: a map can be drawn. */
  hasEvents: boolean;
  /** Lines of output that are kept. */
  outputLines: number;
  outputBytes: number;
  /** What is not kept of the events and the output, as sentences. */
  gaps: string[];
  /** Other runs under the same id, the newest first, by their keys. */
  otherRuns: { key: number; createdAt: string; state: TaskState }[];
}

/** A result that failed. */
export interface Failure {
  seq: number;
  time: string;
  play: string;
  task: string;
  host: string;
  state: "failed" | "unreachable" | "ignored" | "rescued";
  message: string | null;
}

/** When a play ran, and its play tasks. Seconds since the run's first event. */
export interface PlaySpan {
  play: string;
  start: number;
  end: number;
  tasks: { column: number; task: string; start: number; end: number }[];
}

/**
 * What a cell of the map is, as one character: `.` nothing yet, and results by
 * `CELL_STATES`.
 */
export const CELL_STATES = {
  ok: "o",
  changed: "c",
  failed: "f",
  unreachable: "u",
  skipped: "s",
  rescued: "r",
  ignored: "i",
} as const;

/** A task's map: hosts × play tasks, as far as the run has come. */
export interface TaskMap {
  /** In the order in which they came. */
  hosts: string[];
  /** A column for each play task that has started, in order. */
  columns: { play: string; task: string }[];
  /**
   * A row for each host: one character a column (see `CELL_STATES`). A row may
   * be shorter than there are columns: what is missing is `.`.
   */
  cells: string[];
}

/** What has been added to a map since; the event `cells` of a task's stream. */
export interface MapChange {
  /** New ones, behind those that are there. */
  hosts: string[];
  /** New ones, behind those that are there. */
  columns: { play: string; task: string }[];
  /** `[host, column, character]`. */
  cells: [number, number, string][];
}

/** One cell, when somebody clicks on it. */
export interface CellDetail {
  play: string;
  task: string;
  host: string;
  /** The results there, in order: a task that is looped over comes once. */
  results: {
    time: string;
    state: keyof typeof CELL_STATES;
    changed: boolean;
    durationSeconds: number | null;
    message: string | null;
  }[];
}

/** Lines of output, by the colours of a terminal. */
export interface OutputWindow {
  /** All that are kept. */
  lines: number;
  /** The first of these; counted from 0. */
  from: number;
  rows: OutputLine[];
}

/** One line. */
export interface OutputLine {
  /** Counted from 0. */
  number: number;
  stream: "stdout" | "stderr";
  spans: OutputSpan[];
}

/** A piece of a line that looks the same; the text is not escaped. */
export interface OutputSpan {
  text: string;
  /**
   * Classes such as `fg-red`, `fg-bright-red`, `bg-blue`, `bold`, `dim`,
   * `italic`, `underline`, `inverse`, `strike`, with spaces between; "" for none.
   */
  classes: string;
}

/** A worker. */
export interface WorkerRow {
  workerId: string;
  state: Presence["state"];
  slots: number;
  /** null where it is not online, or has not said. */
  freeSlots: number | null;
  queued: number | null;
  host: string;
  version: string;
  ansibleVersion: string;
  startedAt: string;
  updatedAt: string;
  adoptedBy: string | null;
}

/** What the board's lists are narrowed to; what is left out is not minded. */
export interface Filters {
  /** Any of these. */
  state?: TaskState[];
  playbook?: string;
  inventory?: string;
  worker?: string;
  template?: string;
  /** Words that a task's id, playbook, inventory, template, worker or error has. */
  search?: string;
}

/** A page of tasks, the newest first. */
export interface TaskPage {
  rows: TaskRow[];
  /** For the next page; null on the last one. */
  next: string | null;
}

/** The board. */
export interface Board {
  filters: Filters;
  workers: WorkerRow[];
  /** What runs and what waits, all of it that the filters let through, oldest first. */
  running: TaskRow[];
  queued: TaskRow[];
  /** What each queued one waits for, as a sentence, by its key. */
  waitsFor: Record<number, string>;
  /** What has ended, a page of it. */
  ended: TaskPage;
  /** How many are in each state, whatever the filters. */
  totals: Record<TaskState, number>;
  /** Those that failed since a day ago. */
  failedToday: number;
  /** What the filters can be set to. */
  choices: {
    playbooks: string[];
    inventories: string[];
    workers: string[];
    templates: string[];
  };
}

/** One run in a history. */
export interface HistoryBar {
  key: number;
  taskId: string;
  state: TaskState;
  createdAt: string;
  durationSeconds: number | null;
  workerId: string;
}

/** The last runs of a playbook (or of a template, or on an inventory). */
export interface History {
  filters: Pick<Filters, "playbook" | "template" | "inventory">;
  /** At most 100, the oldest first. */
  bars: HistoryBar[];
  /** Of those that succeeded, in seconds; null for none. */
  medianSeconds: number | null;
  /**
   * How much longer the last ten that succeeded took than those before, by their
   * medians: 0.1 is 10 % more; null where there are too few.
   */
  trend: number | null;
  /** Of the last 26 weeks, the days on which something ended, in order (UTC). */
  days: { day: string; ended: number; failed: number }[];
  choices: Board["choices"];
}

/** A template that workers offer. */
export interface TemplateRow {
  name: string;
  /** Tells those apart that workers mean different things by: a short hash. */
  variant: string;
  description: string;
  workers: string[];
  /** When it is run next by itself; null for never. */
  nextTime: string | null;
  schedule: { cron: string; timeZone: string } | null;
  fields: FormField[];
  /** The latest task of it, if any. */
  last: TaskRow | null;
}

/** One field of a form. */
export interface FormField {
  /** As it is sent: `var.NAME` for a variable, else the field of a request. */
  name: string;
  label: string;
  kind:
    | "text"
    | "password"
    | "multiline"
    | "integer"
    | "number"
    | "boolean"
    | "choice"
    /** Texts with commas, or one a line. */
    | "list"
    /** Anything else, as JSON. */
    | "json";
  required: boolean;
  description: string;
  /** What it is when nothing is said, as text; null for nothing. */
  default: string | null;
  /** For a choice. */
  options: string[];
  /** As the attributes of an input: null for none. */
  min: number | null;
  max: number | null;
  maxLength: number | null;
  pattern: string | null;
}

/** A form, as somebody sees it for the first time or after a mistake. */
export interface Form {
  /** Where it is posted to, with the base. */
  action: string;
  fields: FormField[];
  /** What was typed, by the fields' names; passwords are left out. */
  values: Record<string, string>;
  /** What is wrong, by the fields' names; "" for the whole. */
  problems: Record<string, string>;
}

/** A part of a live page: an element, by its id, as HTML. */
export interface Part {
  id: string;
  html: string;
}

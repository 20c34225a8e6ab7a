/**
 * What the page knows of tasks, read from its database.
 *
 * @module
 */
import type { TaskStatus } from "../messages/task_status.ts";
import { pause } from "../deadline.ts";
import { plain, spansOf } from "./ansi.ts";
import type { Database, Row, Value } from "./database.ts";
import type {
  Board,
  CELL_STATES,
  CellDetail,
  Failure,
  Filters,
  History,
  OutputLine,
  OutputWindow,
  PlaySpan,
  TaskDetail,
  TaskMap,
  TaskPage,
  TaskRow,
} from "./model.ts";
import { type CellRow, MapBuilder } from "./task_map.ts";

/** Rows of one page of the board. */
export const PAGE_ROWS = 50;

/** The most tasks that are shown as running, and as queued. */
const MAX_ACTIVE = 200;

const MAX_FAILURES = 200;
const MAX_CHOICES = 500;
const MAX_FOUND = 1000;

/** The longest line that is shown, in characters. */
const MAX_LINE = 20_000;

/** The most text that is read for one window, in characters. */
const MAX_WINDOW = 4 * 1024 * 1024;

/** What is searched at a time, in characters. */
const TURN = 1024 * 1024;

/** Runs in a history. */
const HISTORY_RUNS = 100;

/** Those of them whose median is compared with that of the others. */
const RECENT_RUNS = 10;

const DAY_MS = 24 * 3600 * 1000;
const HISTORY_DAYS = 26 * 7;

const ACTIVE = ["queued", "running"];

/** A row of `tasks` with its status. */
interface TaskRecord extends Row {
  key: number;
  updated_at: string;
  status: string;
}

/** Which page of tasks. */
export interface PageOptions {
  /** The `next` of the page before. */
  cursor?: string | undefined;
  /** At most so many. */
  limit: number;
  /** Those that go on, or those that have ended; both if left out. */
  active?: boolean;
}

/** A status as it was published, and what this page knows of it. */
export type KeptStatus = TaskStatus & { key: number; updated_at: string };

const TASKS = `SELECT tasks.key, tasks.updated_at, status FROM tasks
  JOIN statuses ON statuses.key = tasks.key`;

/** What is read of the database. */
export class Store {
  readonly #database: Database;

  /** Reads; it writes nothing. */
  constructor(database: Database) {
    this.#database = database;
  }

  /**
   * A page of tasks, the newest first.
   */
  tasks(
    filters: Filters,
    page: PageOptions,
  ): TaskPage {
    const { records, next } = this.#page(filters, page);
    return { rows: records.map(rowOf), next };
  }

  /** The same, as workers have published them. */
  statuses(
    filters: Filters,
    page: PageOptions,
  ): { statuses: KeptStatus[]; next: string | null } {
    const { records, next } = this.#page(filters, page);
    return { statuses: records.map(keptStatus), next };
  }

  /** The status of a task, as it was published; null for none. */
  status(key: number): KeptStatus | null {
    const record = this.#database.get<TaskRecord>(
      `${TASKS} WHERE tasks.key = ?`,
      key,
    );
    return record ? keptStatus(record) : null;
  }

  #page(
    filters: Filters,
    { cursor, limit, active }: PageOptions,
  ): { records: TaskRecord[]; next: string | null } {
    const { from, where, values } = conditions(filters);
    if (active !== undefined) {
      where.push(
        active
          ? "tasks.state IN ('queued', 'running')"
          : "tasks.completed_at IS NOT NULL",
      );
    }
    const before = Number(cursor);
    if (cursor !== undefined && Number.isSafeInteger(before)) {
      where.push(`${from.key} < ?`);
      values.push(before);
    }
    const records = this.#database.all<TaskRecord>(
      `SELECT tasks.key, tasks.updated_at, status FROM ${from.tables}
       JOIN statuses ON statuses.key = tasks.key
       WHERE ${where.join(" AND ")} ORDER BY ${from.key} DESC LIMIT ?`,
      ...values,
      limit + 1,
    );
    const next = records.length > limit
      ? String(records[limit - 1]!.key)
      : null;
    return { records: records.slice(0, limit), next };
  }

  /** The newest run under an id, or the one with a key; null for none. */
  task(taskId: string, key?: number): Omit<TaskDetail, "waitsFor"> | null {
    const record = this.#database.get<TaskRecord & Numbers>(
      `SELECT tasks.*, status FROM tasks JOIN statuses ON statuses.key = tasks.key
       WHERE task_id = ? AND tasks.key = coalesce(?, tasks.key)
       ORDER BY tasks.key DESC LIMIT 1`,
      taskId,
      key ?? null,
    );
    if (!record) return null;
    const status = JSON.parse(record.status) as TaskStatus;
    const failures = this.#failures(record.key);
    return {
      ...rowOf(record),
      returnCode: status.return_code,
      failedHosts: status.failed_hosts,
      unreachableHosts: status.unreachable_hosts,
      stats: status.stats,
      moves: this.#database.all<
        { at: string; state: TaskStatus["state"]; workerId: string }
      >(
        `SELECT at, state, worker_id AS workerId FROM moves WHERE key = ?
         ORDER BY number`,
        record.key,
      ),
      ...failures,
      plays: this.#plays(record.key, goneOnUntil(status)),
      hasEvents: record.events_seq > 0,
      outputLines: record.output_lines + record.output_is_open,
      outputBytes: record.output_bytes,
      gaps: gapsOf(record),
      otherRuns: this.#database.all<
        { key: number; createdAt: string; state: TaskStatus["state"] }
      >(
        `SELECT key, created_at AS createdAt, state FROM tasks
         WHERE task_id = ? AND key <> ? AND state IS NOT NULL
         ORDER BY key DESC LIMIT 20`,
        taskId,
        record.key,
      ),
    };
  }

  /** How much output there is. */
  outputSize(key: number): { lines: number; bytes: number; isOpen: boolean } {
    const row = this.#database.get<
      { lines: number; bytes: number; completed_at: string | null }
    >(
      `SELECT output_lines + output_is_open AS lines, output_bytes AS bytes,
         completed_at FROM tasks WHERE key = ?`,
      key,
    );
    return {
      lines: row?.lines ?? 0,
      bytes: row?.bytes ?? 0,
      isOpen: row?.completed_at === null,
    };
  }

  /** What the map of a task is made of. */
  cells(key: number): Iterable<CellRow> {
    return this.#database.each<CellRow>(
      "SELECT col, host, state, play, task FROM events WHERE key = ? ORDER BY seq",
      key,
    );
  }

  /** The map of a task: hosts × play tasks. */
  map(key: number): TaskMap {
    const builder = new MapBuilder();
    for (const row of this.cells(key)) builder.add(row);
    return builder.map;
  }

  /** The name of a host by its number in the map; null for none. */
  hostAt(key: number, number: number): string | null {
    return this.#database.get<{ host: string }>(
      `SELECT host FROM events WHERE key = ? AND state IS NOT NULL
       GROUP BY host ORDER BY min(seq) LIMIT 1 OFFSET ?`,
      key,
      number,
    )?.host ?? null;
  }

  /** What was at a place of the map; null for nothing. */
  cell(
    key: number,
    { host, column }: { host: string; column: number },
  ): CellDetail | null {
    const rows = this.#database.all<
      {
        time: string;
        state: keyof typeof CELL_STATES;
        changed: number;
        duration: number | null;
        message: string | null;
        play: string;
        task: string;
      }
    >(
      `SELECT time, state, changed, duration, message, play, task FROM events
       WHERE key = ? AND col = ? AND host = ? AND state IS NOT NULL
       ORDER BY seq LIMIT 100`,
      key,
      column,
      host,
    );
    const [first] = rows;
    return first === undefined ? null : {
      play: first.play,
      task: first.task,
      host,
      results: rows.map(({ time, state, changed, duration, message }) => ({
        time,
        state,
        changed: changed === 1,
        durationSeconds: duration,
        message,
      })),
    };
  }

  /** Lines of the output. */
  output(
    key: number,
    { from, lines }: { from: number; lines: number },
  ): OutputWindow {
    const { lines: all } = this.outputSize(key);
    const window: OutputWindow = { lines: all, from, rows: [] };
    if (from >= all) return window;
    // The piece in which the first of them begins.
    const { seq } = this.#database.get<{ seq: number | null }>(
      "SELECT max(seq) AS seq FROM output WHERE key = ? AND line < ?",
      key,
      from,
    )!;
    const pieces = this.#database.each<
      {
        line: number;
        stream: OutputLine["stream"];
        style: string;
        text: string;
      }
    >(
      `SELECT line, stream, style, text FROM output
       WHERE key = ? AND seq >= ? AND line < ? ORDER BY seq`,
      key,
      seq ?? 0,
      from + lines,
    );
    let style: string | null = null;
    let number = 0;
    let open: { text: string; stream: OutputLine["stream"] } | null = null;
    let read = 0;
    const put = (line: { text: string; stream: OutputLine["stream"] }) => {
      const cut = line.text.length > MAX_LINE
        ? `${line.text.slice(0, MAX_LINE)}… (${
          line.text.length - MAX_LINE
        } more characters; they are in the file that can be saved)`
        : line.text;
      const shown = spansOf(cut, style!);
      style = shown.style;
      if (number >= from && number < from + lines) {
        window.rows.push({ number, stream: line.stream, spans: shown.spans });
      }
      number++;
    };
    for (const piece of pieces) {
      if (style === null) {
        style = piece.style;
        number = piece.line;
      }
      const parts = piece.text.split("\n");
      parts.forEach((text, i) => {
        if (i === 0 && open) open.text += text;
        else open = { text, stream: piece.stream };
        if (i < parts.length - 1) {
          put(open!);
          open = null;
        }
      });
      read += piece.text.length;
      if (read > MAX_WINDOW) break;
    }
    const rest = open as { text: string; stream: OutputLine["stream"] } | null;
    if (rest !== null && rest.text !== "") put(rest);
    return window;
  }

  /** All of the output, piece by piece. */
  *texts(key: number): Generator<string> {
    let seq = 0;
    for (;;) {
      const pieces = this.#database.all<{ seq: number; text: string }>(
        `SELECT seq, text FROM output WHERE key = ? AND seq > ?
         ORDER BY seq LIMIT 32`,
        key,
        seq,
      );
      for (const { text } of pieces) yield text;
      const last = pieces.at(-1);
      if (!last) return;
      seq = last.seq;
    }
  }

  /**
   * Numbers of the lines that have a text, whatever its case. Others have their
   * turn meanwhile.
   */
  async find(
    key: number,
    text: string,
  ): Promise<{ lines: number[]; more: boolean }> {
    const found = { lines: [] as number[], more: false };
    const wanted = text.toLowerCase();
    if (wanted === "") return found;
    let number = 0;
    let open = "";
    const look = (line: string) => {
      if (plain(line).toLowerCase().includes(wanted)) found.lines.push(number);
      number++;
    };
    let read = 0;
    for (const piece of this.texts(key)) {
      read += piece.length;
      if (read > TURN) {
        read = 0;
        await pause(0);
      }
      const parts = piece.split("\n");
      parts[0] = open + parts[0];
      open = parts.pop()!;
      for (const part of parts) look(part);
      if (found.lines.length > MAX_FOUND) break;
    }
    if (open !== "") look(open);
    found.more = found.lines.length > MAX_FOUND;
    found.lines.length = Math.min(found.lines.length, MAX_FOUND);
    return found;
  }

  /** The events of a task, as they came, behind one of them. */
  events(
    key: number,
    { after, limit }: { after: number; limit: number },
  ): EventRow[] {
    return this.#database.all<EventRow>(
      `SELECT seq, time, col AS "column", host, state, changed,
         duration AS duration_seconds, play, task, message, left_out
       FROM events WHERE key = ? AND seq > ? ORDER BY seq LIMIT ?`,
      key,
      after,
      limit,
    );
  }

  /** The pieces of output of a task, as they came, behind one of them. */
  pieces(
    key: number,
    { after, limit }: { after: number; limit: number },
  ): PieceRow[] {
    return this.#database.all<PieceRow>(
      `SELECT seq, stream, text, truncated, left_out FROM output
       WHERE key = ? AND seq > ? ORDER BY seq LIMIT ?`,
      key,
      after,
      limit,
    );
  }

  /** All but what is known of workers. */
  board(
    filters: Filters,
    { cursor }: { cursor?: string | undefined },
  ): Omit<Board, "workers" | "waitsFor"> {
    const active = (state: "queued" | "running") =>
      filters.state && !filters.state.includes(state)
        ? []
        : this.tasks({ ...filters, state: [state] }, { limit: MAX_ACTIVE })
          .rows.reverse();
    const endedStates = filters.state?.filter((state) =>
      !ACTIVE.includes(state)
    );
    const ended: TaskPage = filters.state && endedStates?.length === 0
      ? { rows: [], next: null }
      : this.tasks(
        { ...filters, ...(endedStates && { state: endedStates }) },
        { cursor, limit: PAGE_ROWS, active: false },
      );
    return {
      filters,
      running: active("running"),
      queued: active("queued"),
      ended,
      totals: this.totals(),
      failedToday: this.failedToday(),
      choices: this.choices(),
    };
  }

  /** How many tasks are in each state. */
  totals(): Board["totals"] {
    const totals: Board["totals"] = {
      queued: 0,
      running: 0,
      success: 0,
      failed: 0,
      cancelled: 0,
      timeout: 0,
    };
    for (
      const { state, count } of this.#database.all<
        { state: keyof Board["totals"]; count: number }
      >("SELECT state, count FROM totals")
    ) totals[state] = count;
    return totals;
  }

  /** How many have failed within the last 24 hours. */
  failedToday(now = Date.now()): number {
    return this.#database.get<{ n: number }>(
      // By the end, of which the index has the state too: by the state, all that
      // have ever failed would be looked at.
      `SELECT count(*) AS n FROM tasks
       WHERE completed_at > ? AND +state IN ('failed', 'timeout')`,
      new Date(now - DAY_MS).toISOString(),
    )!.n;
  }

  /** What the filters can be set to. */
  choices(): Board["choices"] {
    return {
      playbooks: this.#distinct("playbook"),
      inventories: this.#distinct("inventory"),
      workers: this.#distinct("worker_id").filter((id) => id !== ""),
      templates: this.#distinct("template"),
    };
  }

  /** The last runs. */
  history(filters: History["filters"], now = Date.now()): History {
    const { rows } = this.tasks(filters, {
      limit: HISTORY_RUNS,
      active: false,
    });
    const bars = rows.reverse();
    const times = bars.filter(({ state, durationSeconds }) =>
      state === "success" && durationSeconds !== null
    ).map(({ durationSeconds }) => durationSeconds!);
    const recent = times.slice(-RECENT_RUNS);
    const earlier = times.slice(0, -RECENT_RUNS);
    const before = median(earlier);
    const { where, values } = conditions(filters);
    return {
      filters,
      bars: bars.map((
        { key, taskId, state, createdAt, durationSeconds, workerId },
      ) => ({ key, taskId, state, createdAt, durationSeconds, workerId })),
      medianSeconds: median(times),
      trend: before === null || before === 0 || earlier.length < 3
        ? null
        : median(recent)! / before - 1,
      days: this.#database.all<
        { day: string; ended: number; failed: number }
      >(
        `SELECT substr(completed_at, 1, 10) AS day, count(*) AS ended,
           sum(state IN ('failed', 'timeout')) AS failed FROM tasks
         WHERE completed_at > ? AND ${where.join(" AND ")}
         GROUP BY day ORDER BY day`,
        new Date(now - HISTORY_DAYS * DAY_MS).toISOString(),
        ...values,
      ),
      choices: this.choices(),
    };
  }

  #failures(key: number): Pick<TaskDetail, "failures" | "moreFailures"> {
    const FAILED =
      "key = ? AND state IN ('failed', 'unreachable', 'ignored', 'rescued')";
    const failures = this.#database.all<Failure>(
      `SELECT seq, time, play, task, host, state, message FROM events
       WHERE ${FAILED} ORDER BY seq LIMIT ?`,
      key,
      MAX_FAILURES,
    );
    const { n } = failures.length < MAX_FAILURES
      ? { n: failures.length }
      : this.#database.get<{ n: number }>(
        `SELECT count(*) AS n FROM events WHERE ${FAILED}`,
        key,
      )!;
    return { failures, moreFailures: n - failures.length };
  }

  #plays(key: number, until: number | null): PlaySpan[] {
    const starts = this.#database.all<
      { seq: number; time: string; col: number; play: string; task: string }
    >(
      `SELECT seq, time, col, play, task FROM events
       WHERE key = ? AND state IS NULL ORDER BY seq`,
      key,
    );
    const [first] = starts;
    if (!first) return [];
    const last = this.#database.get<{ time: string }>(
      "SELECT time FROM events WHERE key = ? ORDER BY seq DESC LIMIT 1",
      key,
    )!;
    const since = (time: number) =>
      Math.max(0, (time - Date.parse(first.time)) / 1000);
    const seconds = (time: string) => since(Date.parse(time));
    const end = Math.max(seconds(last.time), since(until ?? 0));
    const plays: PlaySpan[] = [];
    const seen = new Set<number>();
    for (const { time, col, play, task } of starts) {
      // Under the strategy free it starts for one host after the other.
      if (seen.has(col)) continue;
      seen.add(col);
      const start = seconds(time);
      const before = plays.at(-1);
      const open = before?.tasks.at(-1);
      if (before && open) before.end = open.end = start;
      const task_ = { column: col, task, start, end };
      if (before?.play === play) {
        before.tasks.push(task_);
        before.end = task_.end;
      } else plays.push({ play, start, end: task_.end, tasks: [task_] });
    }
    return plays;
  }

  /** The values of a column, by its index, however many rows have each. */
  #distinct(
    column: "playbook" | "inventory" | "worker_id" | "template",
  ): string[] {
    return this.#database.all<{ value: string }>(
      `WITH RECURSIVE found (value) AS (
         SELECT min(${column}) FROM tasks
         UNION ALL
         SELECT (SELECT min(${column}) FROM tasks WHERE ${column} > found.value)
         FROM found WHERE found.value IS NOT NULL LIMIT ${MAX_CHOICES}
       ) SELECT value FROM found WHERE value IS NOT NULL`,
    ).map(({ value }) => value);
  }
}

/** An event, as `Store.events()` gives it. */
export interface EventRow {
  seq: number;
  time: string;
  column: number;
  host: string | null;
  state: string | null;
  changed: number | null;
  duration_seconds: number | null;
  play: string;
  task: string;
  message: string | null;
  left_out: number;
}

/** A piece of output, as `Store.pieces()` gives it. */
export interface PieceRow {
  seq: number;
  stream: "stdout" | "stderr";
  text: string;
  truncated: number;
  left_out: number;
}

interface Numbers {
  events_seq: number;
  events_missing: number;
  output_missing: number;
  output_bytes_missing: number;
  output_lines: number;
  output_is_open: number;
  output_bytes: number;
}

function gapsOf(
  { events_missing, output_missing, output_bytes_missing }: Numbers,
): string[] {
  const gaps: string[] = [];
  const say = (count: number, one: string, many: string, why: string) => {
    if (count > 0) gaps.push(`${count} ${count === 1 ? one : many} ${why}`);
  };
  const why =
    "not here: the broker was too slow for them, or this page was away for too long";
  say(events_missing, "event is", "events are", why);
  say(output_missing, "piece of output is", "pieces of output are", why);
  say(
    output_bytes_missing,
    "byte of output is",
    "bytes of output are",
    "missing: the broker was too slow for the worker",
  );
  return gaps;
}

/**
 * Until when a play task without a result has gone on, by the clock of its
 * worker, in milliseconds since 1970; null for a run that came to its own end.
 */
function goneOnUntil(
  { state, started_at, duration_seconds }: TaskStatus,
): number | null {
  return state === "success" || state === "failed" || started_at === null
    ? null
    : Date.parse(started_at) + (duration_seconds ?? 0) * 1000;
}

/** What SQL the filters are. */
function conditions(filters: Filters): {
  from: { tables: string; key: string };
  where: string[];
  values: Value[];
} {
  const where: string[] = [];
  const values: Value[] = [];
  const words = matchOf(filters.search ?? "");
  // What goes on is little of all that is found, and is looked at by itself.
  const isLittle = filters.state?.every((state) => ACTIVE.includes(state));
  if (words !== null) {
    where.push(
      isLittle
        ? `EXISTS (SELECT 1 FROM task_search
             WHERE task_search MATCH ? AND task_search.rowid = tasks.key)`
        : "task_search MATCH ?",
    );
    values.push(words);
  }
  where.push("tasks.state IS NOT NULL");
  if (filters.state) {
    where.push(`tasks.state IN (${filters.state.map(() => "?").join(", ")})`);
    values.push(...filters.state);
  }
  for (
    const [column, value] of [
      ["playbook", filters.playbook],
      ["inventory", filters.inventory],
      ["template", filters.template],
      ["worker_id", filters.worker],
    ] as const
  ) {
    if (value === undefined) continue;
    where.push(`tasks.${column} = ?`);
    values.push(value);
  }
  return {
    // In the order of time by the search's own key: otherwise all that is found
    // would be sorted.
    from: words === null || isLittle ? { tables: "tasks", key: "tasks.key" } : {
      tables: "task_search CROSS JOIN tasks ON tasks.key = task_search.rowid",
      key: "task_search.rowid",
    },
    where,
    values,
  };
}

/** A search as FTS5 wants it: each word a phrase, and all of them; null for none. */
function matchOf(search: string): string | null {
  const words = search.normalize("NFC").split(/\s+/u)
    .filter((word) => /[\p{L}\p{N}]/u.test(word)).slice(0, 20);
  if (words.length === 0) return null;
  return words.map((word) => `"${word.slice(0, 200).replaceAll('"', '""')}"*`)
    .join(" ");
}

function keptStatus({ key, updated_at, status }: TaskRecord): KeptStatus {
  return { ...JSON.parse(status) as TaskStatus, key, updated_at };
}

function rowOf({ key, updated_at, status: text }: TaskRecord): TaskRow {
  const status = JSON.parse(text) as TaskStatus;
  const {
    tasks_ok: ok,
    tasks_changed: changed,
    tasks_failed: failed,
    tasks_unreachable: unreachable,
    tasks_skipped: skipped,
    tasks_rescued: rescued,
    tasks_ignored: ignored,
  } = status;
  return {
    key,
    taskId: status.task_id,
    state: status.state,
    playbook: status.playbook,
    inventory: status.inventory === null
      ? null
      : [status.inventory].flat().join(", "),
    template: status.template,
    workerId: status.worker_id,
    createdAt: status.created_at,
    startedAt: status.started_at,
    completedAt: status.completed_at,
    durationSeconds: status.duration_seconds,
    updatedAt: updated_at,
    done: ok + failed + skipped + unreachable + rescued,
    total: status.tasks_total,
    counts: { ok, changed, failed, unreachable, skipped, rescued, ignored },
    lock: status.lock,
    currentTask: status.current_task,
    errorMessage: status.error_message,
  };
}

function median(values: readonly number[]): number | null {
  if (values.length === 0) return null;
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1
    ? sorted[middle]!
    : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

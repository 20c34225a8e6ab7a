/**
 * The one writer of tasks: takes what comes from the broker, in order, and
 * writes it down many at a time.
 *
 * What was put here is **waiting** until the next commit: after 50 ms, or as soon
 * as so many wait that the broker may send no more before some are answered.
 * Then each is **kept**, and its `onKept` is called. An event or a piece of output that
 * was kept already, by its number, is passed over: the broker sends again what
 * was answered when the connection broke.
 *
 * A status is passed over where the task has got further: what is retained comes
 * again with each subscription, and may overtake what the broker had kept for us.
 *
 * @module
 */
import type { TaskEvent } from "../messages/event.ts";
import type { TaskOutput } from "../messages/output.ts";
import { inventoriesOf } from "../messages/task_request.ts";
import type { TaskStatus } from "../messages/task_status.ts";
import { styleAfter } from "./ansi.ts";
import { Columns } from "./columns.ts";
import type { Database } from "./database.ts";

/** What there is to be kept. */
export type Record =
  | { kind: "status"; status: TaskStatus }
  | { kind: "event"; event: TaskEvent }
  | { kind: "output"; output: TaskOutput };

/** What a commit has changed. */
export interface Kept {
  /** Tasks that are new, or have another status. */
  statuses: Set<number>;
  /** Whether one of them is new, has another state or another worker. */
  hasMoved: boolean;
  /** Events that were added, by the keys of their tasks. */
  events: Map<number, { event: TaskEvent; column: number }[]>;
  /** Tasks that have more output. */
  outputs: Set<number>;
}

/** How long a message waits at most, in milliseconds. */
const COMMIT_MS = 50;

/** mosquitto sends 20 messages, and waits for answers (max_inflight_messages). */
const COMMIT_AT = 16;

/** Runs whose columns are remembered. */
const MAX_REMEMBERED = 500;

/** What is known of a task while its messages come. */
interface Known {
  key: number;
  created_at: string;
  state: string | null;
  worker_id: string;
  completed_at: string | null;
  events_seq: number;
  output_seq: number;
  output_lines: number;
  output_is_open: number;
  output_style: string;
}

/** The writer. */
export class Recorder {
  readonly #database: Database;
  readonly #onCommit: (kept: Kept) => void;
  readonly #onFailure: (error: unknown) => void;
  #waiting: { record: Record; onKept: () => void }[] = [];
  #timer: ReturnType<typeof setTimeout> | null = null;
  readonly #columns = new Map<number, Columns>();

  /** Nothing is waiting at first. */
  constructor(database: Database, { onCommit, onFailure }: {
    onCommit(kept: Kept): void;
    /** The database cannot be written: nothing more is answered. */
    onFailure(error: unknown): void;
  }) {
    this.#database = database;
    this.#onCommit = onCommit;
    this.#onFailure = onFailure;
  }

  /** Takes what is to be kept. */
  put(record: Record, onKept: () => void = () => {}): void {
    this.#waiting.push({ record, onKept });
    if (this.#waiting.length >= COMMIT_AT) this.flush();
    else this.#timer ??= setTimeout(() => this.flush(), COMMIT_MS);
  }

  /** Writes what waits, now. */
  flush(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    const waiting = this.#waiting;
    if (waiting.length === 0) return;
    this.#waiting = [];
    const kept: Kept = {
      statuses: new Set(),
      hasMoved: false,
      events: new Map(),
      outputs: new Set(),
    };
    const now = new Date().toISOString();
    try {
      this.#database.transaction(() => {
        for (const { record } of waiting) this.#keep(record, { kept, now });
      });
    } catch (error) {
      this.#columns.clear();
      this.#onFailure(error);
      return;
    }
    for (const { onKept } of waiting) onKept();
    this.#onCommit(kept);
  }

  #keep(record: Record, to: { kept: Kept; now: string }): void {
    switch (record.kind) {
      case "status":
        return this.#keepStatus(record.status, to);
      case "event":
        return this.#keepEvent(record.event, to);
      case "output":
        return this.#keepOutput(record.output, to);
    }
  }

  #keepStatus(
    status: TaskStatus,
    { kept, now }: { kept: Kept; now: string },
  ): void {
    const newest = this.#newest(status.task_id);
    const task = newest?.state === null
      ? newest
      : newest?.created_at === status.created_at
      ? newest
      : this.#select(
        "task_id = ? AND created_at = ?",
        status.task_id,
        status.created_at,
      );
    if (task && task.state !== null) {
      if (task.completed_at !== null) return;
      if (!this.#isNews(task.key, status)) return;
    }
    const inventory = status.inventory === null
      ? null
      : inventoriesOf(status.inventory).join(", ");
    const values = [
      status.created_at,
      status.state,
      status.playbook,
      inventory,
      status.template,
      status.worker_id,
      status.started_at,
      status.completed_at,
      now,
    ];
    let key = task?.key;
    if (key === undefined) {
      ({ key } = this.#database.run(
        `INSERT INTO tasks (created_at, state, playbook, inventory, template,
           worker_id, started_at, completed_at, updated_at, task_id)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
        ...values,
        status.task_id,
      ));
    } else {
      this.#database.run(
        `UPDATE tasks SET created_at = ?, state = ?, playbook = ?, inventory = ?,
           template = ?, worker_id = ?, started_at = ?, completed_at = ?,
           updated_at = ? WHERE key = ?`,
        ...values,
        key,
      );
    }
    this.#database.run(
      `INSERT INTO statuses VALUES (?, ?)
       ON CONFLICT (key) DO UPDATE SET status = excluded.status`,
      key,
      JSON.stringify(status),
    );
    if (
      task?.state !== status.state || task.worker_id !== status.worker_id
    ) {
      kept.hasMoved = true;
      this.#database.run(
        `INSERT INTO moves SELECT ?1, count(*), ?2, ?3, ?4 FROM moves
         WHERE key = ?1`,
        key,
        status.completed_at ?? now,
        status.state,
        status.worker_id,
      );
      this.#database.run("DELETE FROM task_search WHERE rowid = ?", key);
      this.#database.run(
        "INSERT INTO task_search (rowid, words) VALUES (?, ?)",
        key,
        wordsOf(status, inventory),
      );
    }
    if (status.completed_at !== null) this.#columns.delete(key);
    kept.statuses.add(key);
  }

  /** Whether a status says more than what is kept of a task that goes on. */
  #isNews(key: number, status: TaskStatus): boolean {
    const row = this.#database.get<{ status: string }>(
      "SELECT status FROM statuses WHERE key = ?",
      key,
    );
    if (!row || status.completed_at !== null) return true;
    const before = JSON.parse(row.status) as TaskStatus;
    if (before.state === "queued") {
      return status.state !== "queued" ||
        JSON.stringify(status) !== row.status;
    }
    return status.state === "running" &&
      (status.duration_seconds ?? 0) > (before.duration_seconds ?? 0);
  }

  #keepEvent(
    event: TaskEvent,
    { kept, now }: { kept: Kept; now: string },
  ): void {
    const task = this.#taskFor(event.task_id, now);
    if (event.seq <= task.events_seq) return;
    const column = this.#columnsOf(task).columnOf(event);
    this.#database.run(
      `INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      task.key,
      event.seq,
      event.time,
      column,
      event.host,
      event.state,
      event.changed === null ? null : Number(event.changed),
      event.duration_seconds,
      event.play,
      event.task,
      event.message,
      event.left_out,
    );
    this.#database.run(
      `UPDATE tasks SET events_seq = ?, events_missing = events_missing + ?
       WHERE key = ?`,
      event.seq,
      event.seq - task.events_seq - 1 + event.left_out,
      task.key,
    );
    const added = kept.events.get(task.key) ?? [];
    added.push({ event, column });
    kept.events.set(task.key, added);
  }

  #keepOutput(
    piece: TaskOutput,
    { kept, now }: { kept: Kept; now: string },
  ): void {
    const task = this.#taskFor(piece.task_id, now);
    if (piece.seq <= task.output_seq) return;
    const style = task.output_style;
    this.#database.run(
      `INSERT INTO output (key, seq, line, stream, truncated, left_out, style, text)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
      task.key,
      piece.seq,
      task.output_lines,
      piece.stream,
      Number(piece.truncated),
      piece.left_out,
      style,
      piece.text,
    );
    this.#database.run(
      `UPDATE tasks SET output_seq = ?, output_missing = output_missing + ?,
         output_bytes_missing = output_bytes_missing + ?, output_lines = ?,
         output_bytes = output_bytes + ?, output_is_open = ?, output_style = ?
       WHERE key = ?`,
      piece.seq,
      piece.seq - task.output_seq - 1,
      piece.left_out,
      task.output_lines + piece.text.split("\n").length - 1,
      new TextEncoder().encode(piece.text).length,
      piece.text === ""
        ? task.output_is_open
        : Number(!piece.text.endsWith("\n")),
      styleAfter(piece.text, style),
      task.key,
    );
    kept.outputs.add(task.key);
  }

  /** The newest run under an id. */
  #newest(taskId: string): Known | undefined {
    return this.#select("task_id = ? ORDER BY key DESC LIMIT 1", taskId);
  }

  #select(where: string, ...values: string[]): Known | undefined {
    return this.#database.get<Known>(
      `SELECT key, created_at, state, worker_id, completed_at, events_seq,
         output_seq, output_lines, output_is_open, output_style
       FROM tasks WHERE ${where}`,
      ...values,
    );
  }

  /** The run that an event belongs to; one without a status yet, if need be. */
  #taskFor(taskId: string, now: string): Known {
    const known = this.#newest(taskId);
    if (known) return known;
    this.#database.run(
      "INSERT INTO tasks (task_id, created_at, updated_at) VALUES (?, '', ?)",
      taskId,
      now,
    );
    return this.#newest(taskId)!;
  }

  /** The columns of a run, read from its events where they are not known. */
  #columnsOf({ key, events_seq }: Known): Columns {
    let columns = this.#columns.get(key);
    if (columns) return columns;
    columns = new Columns();
    if (events_seq > 0) {
      const rows = this.#database.each<
        {
          host: string | null;
          state: string | null;
          play: string;
          task: string;
        }
      >(
        "SELECT host, state, play, task FROM events WHERE key = ? ORDER BY seq",
        key,
      );
      for (const { host, state, play, task } of rows) {
        columns.columnOf({
          event: state === null ? "task_start" : "result",
          host,
          play,
          task,
        });
      }
    }
    if (this.#columns.size >= MAX_REMEMBERED) {
      this.#columns.delete(this.#columns.keys().next().value!);
    }
    this.#columns.set(key, columns);
    return columns;
  }
}

/** What a task is found by. */
function wordsOf(status: TaskStatus, inventory: string | null): string {
  return [
    status.task_id,
    status.playbook,
    inventory,
    status.template,
    status.worker_id,
    status.error_message,
    ...status.failed_hosts.names,
    ...status.unreachable_hosts.names,
  ].filter((text) => text !== null).join("\n");
}

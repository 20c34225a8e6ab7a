/**
 * What is too old, or too much, is removed: a little at a time, so that
 * everything else goes on meanwhile.
 *
 * @module
 */
import { pause } from "../deadline.ts";
import type { Database } from "./database.ts";

/** How often it is looked, in milliseconds. */
const EVERY_MS = 60_000;

/** What is deleted in one transaction, in rows: some milliseconds. */
const SLICE = 1000;

/** A piece of output, which may have 64 KiB, counts as so many rows. */
const PIECE = 10;

/** Tasks that are looked for at once. */
const TASKS = 50;

/** Pages that are given back at once. */
const PAGES = 500;

/** How long the others have between two slices, in milliseconds. */
const PAUSE_MS = 10;

const DAY_MS = 24 * 3600 * 1000;

/** What may be kept. */
export interface Limits {
  /** Days since a task was last heard of. */
  keepDays: number;
  /** Bytes of the database. */
  keepBytes: number;
}

/** Removes what is too much, now. */
export async function prune(
  database: Database,
  { keepDays, keepBytes, now = Date.now(), signal }: Limits & {
    now?: number;
    signal?: AbortSignal;
  },
): Promise<{ removed: number }> {
  const before = new Date(now - keepDays * DAY_MS).toISOString();
  let removed = 0;
  while (!signal?.aborted) {
    const old = database.all<{ key: number }>(
      "SELECT key FROM tasks WHERE updated_at < ? ORDER BY updated_at LIMIT ?",
      before,
      TASKS,
    );
    if (old.length === 0 && database.bytes > keepBytes) {
      old.push(...database.all<{ key: number }>(
        `SELECT key FROM tasks WHERE completed_at IS NOT NULL
         ORDER BY key LIMIT 1`,
      ));
    }
    if (old.length === 0) break;
    removed += database.transaction(() => removeSome(database, old));
    await pause(PAUSE_MS);
  }
  while (!signal?.aborted && database.shrink(PAGES)) await pause(PAUSE_MS);
  return { removed };
}

/** Removes a slice of what there is of some tasks; returns how many are gone. */
function removeSome(
  database: Database,
  tasks: readonly { key: number }[],
): number {
  let room = SLICE;
  let removed = 0;
  for (const { key } of tasks) {
    room -= PIECE * database.run(
      "DELETE FROM output WHERE id IN (SELECT id FROM output WHERE key = ? LIMIT ?)",
      key,
      Math.ceil(room / PIECE),
    ).changes;
    if (room <= 0) break;
    room -= database.run(
      `DELETE FROM events WHERE key = ?1 AND seq IN
         (SELECT seq FROM events WHERE key = ?1 ORDER BY seq LIMIT ?2)`,
      key,
      room,
    ).changes;
    if (room <= 0) break;
    for (
      const sql of [
        "DELETE FROM moves WHERE key = ?",
        "DELETE FROM statuses WHERE key = ?",
        "DELETE FROM task_search WHERE rowid = ?",
        "DELETE FROM tasks WHERE key = ?",
      ]
    ) room -= database.run(sql, key).changes;
    removed++;
  }
  return removed;
}

/** Looks again and again, until it is disposed of. */
export class Pruning implements AsyncDisposable {
  readonly #stop = new AbortController();
  readonly #work: Promise<void>;
  #wake = () => {};

  /**
   * Begins at once.
   *
   * @param options.onRemoved some tasks are not there any more
   */
  constructor(
    database: Database,
    { onRemoved, onFailure, ...limits }: Limits & {
      onRemoved(removed: number): void;
      /** The database cannot be written. */
      onFailure(error: unknown): void;
    },
  ) {
    const { signal } = this.#stop;
    this.#work = (async () => {
      while (!signal.aborted) {
        const { removed } = await prune(database, { ...limits, signal });
        if (removed > 0) onRemoved(removed);
        if (!signal.aborted) await this.#untilNext();
      }
    })().catch(onFailure);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    this.#wake();
    await this.#work;
  }

  #untilNext(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, EVERY_MS);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

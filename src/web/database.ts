/**
 * The page's one file: opened, brought to the newest version, and saved.
 *
 * What is acknowledged to the broker was committed before, and a commit waits
 * for the disk (`synchronous = FULL`).
 *
 * @module
 */
import { backup, DatabaseSync, type StatementSync } from "node:sqlite";
import { MIGRATIONS } from "./migrations.ts";

/** A value of a row. */
export type Value = string | number | null;

/** A row, by the names of its columns. */
export type Row = Record<string, Value>;

/** The file is none of ours, or of a later version; the message says which. */
export class DatabaseError extends Error {
  override name = "DatabaseError";
}

/** How much of the journal is left after a checkpoint, in bytes. */
const JOURNAL_BYTES = 16 * 1024 * 1024;

/** The database. */
export class Database implements Disposable {
  readonly #database: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();

  private constructor(database: DatabaseSync) {
    this.#database = database;
  }

  /**
   * Opens it, and makes it if it is not there.
   *
   * @param migrations the steps that are there; all of them if left out
   * @throws {DatabaseError} it cannot be used
   */
  static open(path: string, migrations = MIGRATIONS): Database {
    let database: DatabaseSync | null = null;
    try {
      database = new DatabaseSync(path);
      // Before the first table: later it would take a VACUUM.
      database.exec(`PRAGMA auto_vacuum = INCREMENTAL;
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
PRAGMA journal_size_limit = ${JOURNAL_BYTES};
PRAGMA busy_timeout = 5000;`);
      migrate(database, migrations);
    } catch (error) {
      database?.close();
      throw new DatabaseError(
        `Cannot use the database "${path}": ${(error as Error).message}`,
      );
    }
    return new Database(database);
  }

  /** The rows that a query gives. */
  all<T = Row>(sql: string, ...values: Value[]): T[] {
    return this.#statement(sql).all(...values) as T[];
  }

  /** The first of them. */
  get<T = Row>(sql: string, ...values: Value[]): T | undefined {
    return this.#statement(sql).get(...values) as T | undefined;
  }

  /** The rows one by one, for what may be many. */
  each<T = Row>(sql: string, ...values: Value[]): Iterable<T> {
    return this.#statement(sql).iterate(...values) as Iterable<T>;
  }

  /** Changes something; returns how many rows, and the last key that was made. */
  run(sql: string, ...values: Value[]): { changes: number; key: number } {
    const { changes, lastInsertRowid } = this.#statement(sql).run(...values);
    return { changes: Number(changes), key: Number(lastInsertRowid) };
  }

  /** Changes all or nothing. */
  transaction<T>(work: () => T): T {
    this.#database.exec("BEGIN IMMEDIATE");
    try {
      const result = work();
      this.#database.exec("COMMIT");
      return result;
    } catch (error) {
      if (this.#database.isTransaction) this.#database.exec("ROLLBACK");
      throw error;
    }
  }

  /** The bytes that are in use. */
  get bytes(): number {
    const { pages, unused, size } = this.get<
      { pages: number; unused: number; size: number }
    >(
      `SELECT page_count AS pages, freelist_count AS unused, page_size AS size
       FROM pragma_page_count, pragma_freelist_count, pragma_page_size`,
    )!;
    return (pages - unused) * size;
  }

  /** Gives unused pages back to the file system; false when there are no more. */
  shrink(pages: number): boolean {
    const unused = () =>
      this.get<{ n: number }>(
        "SELECT freelist_count AS n FROM pragma_freelist_count",
      )!.n;
    if (unused() === 0) return false;
    // A step for each page: `exec()` would do one.
    this.#statement(`PRAGMA incremental_vacuum(${pages})`).all();
    return unused() > 0;
  }

  /** Whether the file is sound. */
  isSound(): boolean {
    return this.get<{ integrity_check: string }>("PRAGMA integrity_check")
      ?.integrity_check === "ok";
  }

  /** Writes a copy, whole, whoever writes here meanwhile. */
  async saveTo(path: string): Promise<void> {
    await backup(this.#database, path);
  }

  [Symbol.dispose](): void {
    this.#statements.clear();
    this.#database.close();
  }

  #statement(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (!statement) {
      statement = this.#database.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }
}

function migrate(
  database: DatabaseSync,
  migrations: readonly string[],
): void {
  const { user_version: version } = database.prepare("PRAGMA user_version")
    .get() as { user_version: number };
  if (version > migrations.length) {
    throw new Error(
      `it was written by a later version of ansible-worker (its tables are version ${version}, this one knows ${migrations.length})`,
    );
  }
  if (version === 0 && hasTables(database)) {
    throw new Error("it is a database of something else");
  }
  migrations.slice(version).forEach((step, i) => {
    database.exec(
      `BEGIN IMMEDIATE;${step};PRAGMA user_version = ${version + i + 1};COMMIT`,
    );
  });
}

function hasTables(database: DatabaseSync): boolean {
  return database.prepare("SELECT 1 FROM sqlite_schema LIMIT 1").get() !==
    undefined;
}

/**
 * Who has changed what: in the database and in the log.
 *
 * @module
 */
import type { Log } from "../log.ts";
import type { Database } from "./database.ts";

/** What somebody does. */
export type Action =
  | "submit"
  | "cancel"
  | "log in"
  | "log out"
  | "log in refused";

/** Who asks. */
export interface Asker {
  /** null where nobody has to log in. */
  name: string | null;
  /** Where the request comes from. */
  address: string;
}

/** An entry. */
export interface AuditEntry {
  at: string;
  who: string | null;
  address: string;
  action: Action;
  task_id: string | null;
  /** As JSON. */
  detail: string;
}

/** The audit. */
export class Audit {
  readonly #database: Database;
  readonly #log: Log;

  /** Writes to both. */
  constructor(database: Database, log: Log) {
    this.#database = database;
    this.#log = log;
  }

  /**
   * Takes note of it.
   *
   * @param detail what is no secret: never extra variables
   */
  note(
    action: Action,
    { asker, taskId, detail = {} }: {
      asker: Asker;
      taskId?: string;
      detail?: Record<string, unknown>;
    },
  ): void {
    this.#database.run(
      `INSERT INTO audit (at, who, address, action, task_id, detail)
       VALUES (?, ?, ?, ?, ?, ?)`,
      new Date().toISOString(),
      asker.name,
      asker.address,
      action,
      taskId ?? null,
      JSON.stringify(detail),
    );
    const level = action === "log in refused" ? "warn" : "info";
    this.#log[level](`web: ${action}`, {
      ...(taskId !== undefined && { task_id: taskId }),
      who: asker.name ?? "(nobody has to log in)",
      address: asker.address,
      ...detail,
    });
  }

  /** The newest entries. */
  entries(limit: number): AuditEntry[] {
    return this.#database.all<AuditEntry>(
      `SELECT at, who, address, action, task_id, detail FROM audit
       ORDER BY id DESC LIMIT ?`,
      limit,
    );
  }
}

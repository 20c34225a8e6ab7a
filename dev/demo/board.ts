// deno-lint-ignore-file no-console
/**
 * Progress bars: live in a terminal, one line a change elsewhere.
 *
 * @module
 */
import type { TaskStatus } from "../../src/messages/task_status.ts";

/** Draws one line a task, from nothing but what the status topics say. */
export class Board {
  readonly #ids: string[];
  readonly #latest = new Map<string, TaskStatus>();
  readonly #live = Deno.stdout.isTerminal();
  #opened = false;

  /** @param ids of the tasks, in the order of their lines */
  constructor(ids: string[]) {
    this.#ids = ids;
  }

  /** From now on the lines are drawn. */
  open(): void {
    this.#opened = true;
    if (this.#live) console.log("\n".repeat(this.#ids.length - 1));
    this.#draw();
  }

  /** Takes note of a status. */
  show(status: TaskStatus): void {
    this.#latest.set(status.task_id, status);
    if (this.#live) {
      this.#draw();
    } else console.log(line(status));
  }

  /** Nothing more is drawn. */
  close(): void {
    this.#opened = false;
  }

  #draw(): void {
    if (!this.#live || !this.#opened) return;
    const { columns } = Deno.consoleSize();
    const lines = this.#ids.map((id) => {
      const status = this.#latest.get(id);
      const text = status ? line(status) : `${id} …`;
      return `\r\u001b[K${text.slice(0, columns - 1)}`;
    });
    Deno.stdout.writeSync(
      new TextEncoder().encode(
        `\u001b[${this.#ids.length}A${lines.join("\n")}\n`,
      ),
    );
  }
}

function line(status: TaskStatus): string {
  const done = status.tasks_ok + status.tasks_failed + status.tasks_skipped +
    status.tasks_unreachable + status.tasks_rescued;
  const total = Math.max(status.tasks_total, 1);
  const filled = Math.round(20 * Math.min(1, done / total));
  const bar = "#".repeat(filled) + ".".repeat(20 - filled);
  return `${status.task_id.padEnd(12)} [${bar}] ${
    `${done}/${status.tasks_total}`.padStart(5)
  } ${status.state.padEnd(8)} ${
    (status.duration_seconds ?? 0).toFixed(1).padStart(5)
  } s  ${status.current_task ?? ""}`;
}

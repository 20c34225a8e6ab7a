/**
 * The tasks of a group in a terminal, drawn again and again.
 *
 * @module
 */
import { harmless } from "../harmless.ts";
import { type Paint, painter } from "./colours.ts";
import type { Seen } from "./progress.ts";
import { Screen } from "./screen.ts";
import { table } from "./table.ts";
import { summary, WATCH_COLUMNS } from "./tables.ts";
import type { Terminal } from "./terminal.ts";

/** Between two drawings, however much happens. */
const LEAST_MS = 100;

/** Between two drawings when nothing happens: the time goes on. */
const TICK_MS = 1000;

/** How many tasks are shown that had ended before. */
const MOST_OLD = 5;

/** Shows tasks. */
export class Board implements Disposable {
  readonly #screen: Screen;
  readonly #paint: Paint;
  readonly #group: string;
  readonly #since = new Date().toISOString();
  readonly #tick: ReturnType<typeof setInterval>;
  #soon: ReturnType<typeof setTimeout> | null = null;
  #tasks: readonly Seen[] = [];
  #workers = 0;
  #note: string | null = null;

  /** Shows nothing at first. */
  constructor(terminal: Terminal, group: string) {
    this.#screen = new Screen(terminal);
    this.#paint = painter(terminal);
    this.#group = group;
    this.#tick = setInterval(() => this.#draw(), TICK_MS);
  }

  /** Shows these from now on; the oldest comes first. */
  show(tasks: readonly Seen[], { workers }: { workers: number }): void {
    this.#tasks = tasks;
    this.#workers = workers;
    this.#soon ??= setTimeout(() => this.#draw(), LEAST_MS);
  }

  /** Says something that holds for now; null: it does no longer. */
  note(text: string | null): void {
    this.#note = text;
    this.#draw();
  }

  /** What was drawn last stays. */
  [Symbol.dispose](): void {
    clearInterval(this.#tick);
    this.#draw();
    this.#screen[Symbol.dispose]();
  }

  #draw(): void {
    if (this.#soon !== null) clearTimeout(this.#soon);
    this.#soon = null;
    const { columns: width, rows } = this.#screen.size;
    const notes = this.#note === null ? [] : [harmless(this.#note)];
    // The line above the table, its heads, and the line that says what is not
    // shown.
    const { shown, hidden } = this.#choice(rows - 3 - notes.length);
    if (hidden > 0) notes.push(`… and ${hidden} more`);
    const states = this.#tasks.map(({ status }) => status.state);
    this.#screen.draw([
      [{
        text: harmless(
          summary(this.#group, { workers: this.#workers, states }),
        ),
        paint: (text) => this.#paint(text, "bold"),
      }],
      ...table(WATCH_COLUMNS, shown, { width, paint: this.#paint }),
      ...notes.map((text) => [{
        text,
        paint: (text: string) => this.#paint(text, "yellow"),
      }]),
    ]);
  }

  /**
   * What there is room for: what runs and waits before what has ended, and of
   * that the newest. The order stays that of their creation.
   */
  #choice(room: number): { shown: Seen[]; hidden: number } {
    const active: Seen[] = [];
    const ended: Seen[] = [];
    for (const seen of this.#tasks) {
      (seen.status.completed_at === null ? active : ended).push(seen);
    }
    const isNew = ({ status }: Seen) => status.completed_at! >= this.#since;
    const old = ended.filter((seen) => !isNew(seen)).slice(-MOST_OLD);
    const news = ended.filter(isNew);
    const past = [...old, ...news];
    const forPast = Math.max(0, room - active.length);
    const chosen = new Set([
      ...active.slice(0, Math.max(0, room)),
      ...(forPast > 0 ? past.slice(-forPast) : []),
    ]);
    return {
      shown: this.#tasks.filter((seen) => chosen.has(seen)),
      hidden: active.length + news.length -
        [...active, ...news].filter((seen) => chosen.has(seen)).length,
    };
  }
}

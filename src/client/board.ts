/**
 * The tasks of a group in a terminal, drawn again and again.
 *
 * @module
 */
import { harmless } from "../harmless.ts";
import { type Paint, painter } from "./colours.ts";
import type { ReceivedStatus } from "./progress.ts";
import { Screen } from "./screen.ts";
import { table } from "./table.ts";
import { groupSummary, WATCH_COLUMNS } from "./tables.ts";
import type { Terminal } from "./terminal.ts";

/** The least time between two drawings, in milliseconds. */
const MIN_REDRAW_MS = 100;

/** The time between two drawings when no message comes: durations go on. */
const TICK_MS = 1000;

/** The largest number of shown tasks that had ended before the start. */
const MAX_OLD = 5;

/** What there is to show. */
export interface Shown {
  /** The oldest comes first. */
  tasks: readonly ReceivedStatus[];
  /** How many workers there are. */
  workers: number;
}

/** Shows tasks. */
export class Board implements Disposable {
  readonly #screen: Screen;
  readonly #paint: Paint;
  readonly #group: string;
  readonly #since = new Date().toISOString();
  readonly #ticker: ReturnType<typeof setInterval>;
  #redraw: ReturnType<typeof setTimeout> | null = null;
  #ask = (): Shown => ({ tasks: [], workers: 0 });
  #note: string | null = null;

  /** Shows nothing at first. */
  constructor(terminal: Terminal, group: string) {
    this.#screen = new Screen(terminal);
    this.#paint = painter(terminal);
    this.#group = group;
    this.#ticker = setInterval(() => this.#draw(), TICK_MS);
  }

  /**
   * Has something new to show.
   *
   * @param ask what it is; asked at each drawing, not with each message
   */
  show(ask: () => Shown): void {
    this.#ask = ask;
    this.#redraw ??= setTimeout(() => this.#draw(), MIN_REDRAW_MS);
  }

  /** Says something that holds for now; null: it does no longer. */
  note(text: string | null): void {
    this.#note = text;
    this.#draw();
  }

  /** What was drawn last stays. */
  [Symbol.dispose](): void {
    clearInterval(this.#ticker);
    this.#draw();
    this.#screen[Symbol.dispose]();
  }

  #draw(): void {
    if (this.#redraw !== null) clearTimeout(this.#redraw);
    this.#redraw = null;
    const { columns: width, rows } = this.#screen.size;
    const { tasks, workers } = this.#ask();
    const notes = this.#note === null ? [] : [harmless(this.#note)];
    // The line above the table, its heads, and the line that says what is not
    // shown.
    const { shown, hidden } = choose(
      tasks,
      { room: rows - 3 - notes.length, since: this.#since },
    );
    if (hidden > 0) notes.push(`… and ${hidden} more`);
    const states = tasks.map(({ status }) => status.state);
    this.#screen.draw([
      [{
        text: harmless(
          groupSummary(this.#group, { workers, states }),
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
}

/**
 * What there is room for: what runs and waits before what has ended, and of
 * that the newest. The order stays that of their creation.
 */
function choose(
  tasks: readonly ReceivedStatus[],
  { room, since }: { room: number; since: string },
): { shown: ReceivedStatus[]; hidden: number } {
  const active: ReceivedStatus[] = [];
  const ended: ReceivedStatus[] = [];
  for (const received of tasks) {
    (received.status.completed_at === null ? active : ended).push(received);
  }
  const isNew = ({ status }: ReceivedStatus) => status.completed_at! >= since;
  const old = ended.filter((received) => !isNew(received)).slice(-MAX_OLD);
  const news = ended.filter(isNew);
  const past = [...old, ...news];
  const forPast = Math.max(0, room - active.length);
  const chosen = new Set([
    ...active.slice(0, Math.max(0, room)),
    ...(forPast > 0 ? past.slice(-forPast) : []),
  ]);
  return {
    shown: tasks.filter((received) => chosen.has(received)),
    hidden: active.length + news.length -
      [...active, ...news].filter((received) => chosen.has(received)).length,
  };
}

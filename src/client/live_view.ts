/**
 * A task in a terminal: a bar, the counters and the present play task are drawn
 * again and again; failures stay above them.
 *
 * @module
 */
import { harmless } from "../harmless.ts";
import type { TaskEvent } from "../messages/event.ts";
import type { TaskStatus } from "../messages/task_status.ts";
import { colourOf, painter } from "./colours.ts";
import {
  bar,
  counts,
  elapsed,
  failure,
  queued,
  type ReceivedStatus,
  share,
  situation,
} from "./progress.ts";
import { type Line, Screen } from "./screen.ts";
import { wrap } from "./text_width.ts";
import type { Terminal } from "./terminal.ts";
import type { TaskView } from "./views.ts";

/** The time between two drawings when no message comes: durations go on. */
const TICK_MS = 200;

/** The longest bar, and the shortest. */
const BAR_COLUMNS = { max: 30, min: 8 };

/** Shows one task in a terminal. */
export class LiveView implements TaskView {
  readonly #screen: Screen;
  readonly #paint: ReturnType<typeof painter>;
  readonly #timer: ReturnType<typeof setInterval>;
  #received: ReceivedStatus | null = null;
  #note: string | null = "waiting for a worker";
  #question: string | null = null;
  #playTask: string | null = null;

  /** Begins to draw. */
  constructor(terminal: Terminal) {
    this.#screen = new Screen(terminal);
    this.#paint = painter(terminal);
    this.#timer = setInterval(() => this.#draw(), TICK_MS);
    this.#draw();
  }

  /** Draws it. */
  status(status: TaskStatus): void {
    if (!this.#received) this.#note = null;
    this.#received = { status, at: performance.now() };
    if (status.current_task === null) this.#playTask = null;
    this.#draw();
  }

  /** Draws it, or has it stay if it is a failure. */
  event(event: TaskEvent): void {
    const text = failure(event);
    if (text !== null) {
      for (const line of wrap(text, this.#screen.size.columns)) {
        this.#screen.print(this.#paint(line, "red"));
      }
    }
    if (event.event === "task_start" && event.task !== null) {
      this.#playTask = [event.play, event.task].filter(Boolean).join(": ");
    }
    this.#draw();
  }

  /** Draws it below the task. */
  note(text: string | null): void {
    this.#note = text;
    this.#draw();
  }

  /** Draws it below the task. */
  question(text: string | null): void {
    this.#question = text;
    this.#draw();
  }

  /** Takes away what was drawn; what has stayed stays. */
  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.#screen.draw([]);
    this.#screen[Symbol.dispose]();
  }

  #draw(): void {
    const lines: Line[] = [];
    if (this.#received) lines.push(...this.#task(this.#received));
    for (const text of [this.#note, this.#question]) {
      if (text === null) continue;
      lines.push([{
        text: harmless(text),
        paint: (text) => this.#paint(text, "yellow"),
      }]);
    }
    this.#screen.draw(lines);
  }

  #task(received: ReceivedStatus): Line[] {
    const { status } = received;
    if (status.state === "queued") {
      return [[{ text: queued(status) }]];
    }
    const head = `${status.state}  ${share(status)}  ${elapsed(received)}`;
    const { columns } = this.#screen.size;
    const room = Math.min(BAR_COLUMNS.max, columns - head.length - 2);
    const { filled, rest } = bar(status, room < BAR_COLUMNS.min ? 0 : room);
    return [
      [
        { text: filled, paint: (text) => this.#paint(text, "green") },
        { text: rest, paint: (text) => this.#paint(text, "dim") },
        { text: filled + rest === "" ? "" : "  " },
        {
          text: head,
          paint: (text) => this.#paint(text, colourOf(status.state)),
        },
      ],
      [{ text: counts(status) }],
      [{
        text: this.#playTask === null
          ? situation(status)
          : harmless(this.#playTask),
        paint: (text) => this.#paint(text, "dim"),
      }],
    ];
  }
}

/**
 * The streams: of the board, by what it is narrowed to; of a task; and of the
 * numbers that every page shows. One that nobody reads costs nothing, and
 * whatever happens, each tells of it at most a few times a second.
 *
 * @module
 */
import type { Board, MapChange, Part, TaskDetail } from "./model.ts";
import type { LiveParts } from "./pages.ts";
import { encodeEvent, Readers } from "./readers.ts";
import type { Kept } from "./recorder.ts";
import type { Store } from "./store.ts";
import { type CellRow, MapBuilder } from "./task_map.ts";

/** How often a stream tells what is new at most, in milliseconds. */
const TELL_MS = 300;

/** How often something comes in any case, in milliseconds. */
const PING_MS = 15_000;

/** The most readers of all streams together. */
const MAX_READERS = 500;

/** There are too many readers. */
export class TooManyReadersError extends Error {
  override name = "TooManyReadersError";
}

/** What every page shows. */
export interface Summary {
  running: number;
  queued: number;
  failedToday: number;
  isConnected: boolean;
}

type Encoded = Uint8Array<ArrayBuffer>;

/** One stream. */
interface Stream {
  readers: Readers;
  /** What is new since it was last asked. */
  news(): Encoded[];
  /** Something has changed that it shows. */
  isStale: boolean;
}

/** All streams. */
export class Live implements Disposable {
  readonly #store: Store;
  readonly #summary: () => Summary;
  readonly #boards = new Map<string, Stream>();
  readonly #tasks = new Map<
    number,
    Stream & {
      cells(rows: CellRow[]): void;
      outputIsStale: boolean;
      /** It shows what a queued task waits for. */
      isWaiting: boolean;
    }
  >();
  readonly #summaries: Stream;
  readonly #changes: Stream;
  #changed = new Set<number>();
  #workersChanged = false;
  #summaryTold = "";
  #timer: ReturnType<typeof setTimeout> | null = null;
  readonly #ping: ReturnType<typeof setInterval>;

  /** Nobody reads at first. */
  constructor(store: Store, { summary, workers }: {
    summary(): Summary;
    /** The workers, for programs. */
    workers(): unknown;
  }) {
    this.#store = store;
    this.#summary = summary;
    this.#changes = {
      readers: new Readers({
        whole: () => [
          ...store.statuses({}, { limit: 1000, active: true }).statuses
            .reverse().map((status) => encodeEvent("task", status)),
          encodeEvent("workers", workers()),
          encodeEvent("summary", this.#summary()),
        ],
        onEmpty: () => {},
      }),
      news: () => {
        const keys = [...this.#changed];
        this.#changed.clear();
        const news = keys.map((key) => store.status(key))
          .filter((status) => status !== null)
          .map((status) => encodeEvent("task", status));
        if (this.#workersChanged) news.push(encodeEvent("workers", workers()));
        this.#workersChanged = false;
        return news;
      },
      isStale: false,
    };
    this.#summaries = {
      readers: new Readers({
        whole: () => [encodeEvent("summary", this.#summary())],
        onEmpty: () => {},
      }),
      // Also where the numbers stay: one run may end as another begins.
      news: () => [encodeEvent("changed", null)],
      isStale: false,
    };
    this.#ping = setInterval(() => {
      const ping = encodeEvent("ping", Date.now());
      for (const { readers } of this.#all()) readers.send(ping);
    }, PING_MS);
  }

  /** How many read. */
  get readers(): number {
    return this.#all().reduce((sum, { readers }) => sum + readers.size, 0);
  }

  /**
   * The stream of a board.
   *
   * @param key the same for boards that show the same
   * @throws {TooManyReadersError} there are too many already
   */
  board(
    key: string,
    { board, parts }: { board(): Board; parts(board: Board): LiveParts },
  ): ReadableStream<Uint8Array> {
    this.#admit();
    let stream = this.#boards.get(key);
    if (!stream) {
      const changes = new Parts(() => parts(board()));
      const created = {
        readers: new Readers({
          whole: () => {
            tell(created);
            return [
              encodeEvent("parts", changes.whole()),
              encodeEvent("summary", this.#summary()),
            ];
          },
          onEmpty: () => this.#boards.delete(key),
        }),
        news: () => encodeParts(changes.news()),
        isStale: false,
      };
      stream = created;
      this.#boards.set(key, created);
    }
    return stream.readers.add();
  }

  /**
   * The stream of a task.
   *
   * @throws {TooManyReadersError} there are too many already
   */
  task(
    key: number,
    { task, parts }: {
      task(): TaskDetail | null;
      parts(task: TaskDetail): LiveParts;
    },
  ): ReadableStream<Uint8Array> {
    this.#admit();
    let stream = this.#tasks.get(key);
    if (!stream) {
      const changes = new Parts(() => {
        const now = task();
        created.isWaiting = now?.state === "queued";
        return now === null ? { parts: [], lists: [] } : parts(now);
      });
      const map = new LiveMap(this.#store.cells(key));
      const output = () => encodeEvent("output", this.#store.outputSize(key));
      const created = {
        readers: new Readers({
          whole: () => {
            tell(created);
            return [
              encodeEvent("parts", changes.whole()),
              encodeEvent("map", map.whole),
              output(),
              encodeEvent("summary", this.#summary()),
            ];
          },
          onEmpty: () => this.#tasks.delete(key),
        }),
        news: () => {
          const cells = map.news();
          const news = [
            ...encodeParts(changes.news()),
            ...(cells === null ? [] : [encodeEvent("cells", cells)]),
            ...(created.outputIsStale ? [output()] : []),
          ];
          created.outputIsStale = false;
          return news;
        },
        isStale: false,
        outputIsStale: false,
        isWaiting: false,
        cells: (rows: CellRow[]) => map.add(rows),
      };
      stream = created;
      this.#tasks.set(key, created);
    }
    return stream.readers.add();
  }

  /**
   * The stream of what every page shows.
   *
   * @throws {TooManyReadersError} there are too many already
   */
  summaries(): ReadableStream<Uint8Array> {
    this.#admit();
    return this.#summaries.readers.add();
  }

  /**
   * The stream for programs: tasks as workers publish them.
   *
   * @throws {TooManyReadersError} there are too many already
   */
  changes(): ReadableStream<Uint8Array> {
    this.#admit();
    return this.#changes.readers.add();
  }

  /** Something was written down. */
  kept({ statuses, hasMoved, events, outputs }: Kept): void {
    if (statuses.size > 0) this.#boardsAreStale();
    this.#summaries.isStale ||= hasMoved;
    if (this.#changes.readers.size > 0) {
      for (const key of statuses) this.#changed.add(key);
      this.#changes.isStale ||= statuses.size > 0;
    }
    for (const key of statuses) {
      const stream = this.#tasks.get(key);
      // Also of its output: whether more may come.
      if (stream) stream.isStale = stream.outputIsStale = true;
    }
    for (const [key, added] of events) {
      const stream = this.#tasks.get(key);
      if (!stream) continue;
      stream.isStale = true;
      stream.cells(added.map(({ event, column }) => ({
        col: column,
        host: event.host,
        state: event.state,
        play: event.play,
        task: event.task,
      })));
    }
    for (const key of outputs) {
      const stream = this.#tasks.get(key);
      if (stream) stream.isStale = stream.outputIsStale = true;
    }
    this.#tellSoon();
  }

  /** Workers have changed, or locks. */
  workersChanged(): void {
    this.#workersChanged = this.#changes.isStale = true;
    for (const stream of this.#tasks.values()) {
      stream.isStale ||= stream.isWaiting;
    }
    this.boardsChanged();
  }

  /** What boards show has changed. */
  boardsChanged(): void {
    this.#boardsAreStale();
    this.#summaries.isStale = true;
    this.#tellSoon();
  }

  #boardsAreStale(): void {
    for (const stream of this.#boards.values()) stream.isStale = true;
  }

  [Symbol.dispose](): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    clearInterval(this.#ping);
    for (const { readers } of this.#all()) readers.close();
  }

  #all(): Stream[] {
    return [
      this.#summaries,
      this.#changes,
      ...this.#boards.values(),
      ...this.#tasks.values(),
    ];
  }

  #admit(): void {
    if (this.readers >= MAX_READERS) throw new TooManyReadersError();
  }

  #tellSoon(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = null;
      this.#tell();
    }, TELL_MS);
  }

  #tell(): void {
    const isSummaryStale = this.#summaries.isStale;
    for (const stream of this.#all()) {
      if (stream.isStale) tell(stream);
    }
    if (!isSummaryStale) return;
    const summary = this.#summary();
    const text = JSON.stringify(summary);
    if (text === this.#summaryTold) return;
    this.#summaryTold = text;
    const event = encodeEvent("summary", summary);
    for (const { readers } of this.#all()) readers.send(event);
  }
}

/** Sends to those who read already what they have not been sent. */
function tell(stream: Stream): void {
  stream.isStale = false;
  for (const event of stream.news()) stream.readers.send(event);
}

function encodeParts(parts: string[]): Encoded[] {
  return parts.length === 0 ? [] : [encodeEvent("parts", parts)];
}

/** The parts of a page, and which of them have changed since they were sent. */
class Parts {
  readonly #make: () => LiveParts;
  #sent = new Map<string, string>();
  /** The rows of each list, in their order. */
  #orders = new Map<string, string>();

  constructor(make: () => LiveParts) {
    this.#make = make;
  }

  /** All of them. */
  whole(): string[] {
    const { parts, lists } = this.#make();
    this.#remember({ parts, lists });
    return [...parts, ...lists].map(({ html }) => html);
  }

  /** Those that have changed. */
  news(): string[] {
    const { parts, lists } = this.#make();
    const changed = (part: Part) => this.#sent.get(part.id) !== part.html;
    const news = parts.filter(changed).map(({ html }) => html);
    for (const { id, html, rows } of lists) {
      if (this.#orders.get(id) !== orderOf(rows)) news.push(html);
      else news.push(...rows.filter(changed).map(({ html }) => html));
    }
    this.#remember({ parts, lists });
    return news;
  }

  #remember({ parts, lists }: LiveParts): void {
    const all = [...parts, ...lists.flatMap(({ rows }) => rows)];
    this.#sent = new Map(all.map(({ id, html }) => [id, html]));
    this.#orders = new Map(lists.map(({ id, rows }) => [id, orderOf(rows)]));
  }
}

function orderOf(rows: readonly Part[]): string {
  return rows.map(({ id }) => id).join(" ");
}

/** A task's map, and what of it was not sent yet. */
class LiveMap {
  readonly #builder = new MapBuilder();
  #change: MapChange | null = null;

  constructor(rows: Iterable<CellRow>) {
    for (const row of rows) this.#builder.add(row);
  }

  /** All of it. */
  get whole(): MapBuilder["map"] {
    return this.#builder.map;
  }

  add(rows: readonly CellRow[]): void {
    const { hosts, columns } = this.#builder.map;
    const change = this.#change ??= { hosts: [], columns: [], cells: [] };
    for (const row of rows) {
      const before = { hosts: hosts.length, columns: columns.length };
      const cell = this.#builder.add(row);
      if (cell) change.cells.push(cell);
      change.hosts.push(...hosts.slice(before.hosts));
      change.columns.push(...columns.slice(before.columns));
    }
  }

  /** What was not sent yet; null for nothing. */
  news(): MapChange | null {
    const change = this.#change;
    this.#change = null;
    return change;
  }
}

/**
 * Those who read one stream of events, each over a connection of its own.
 *
 * An event is encoded once for all. A reader that does not keep up is **behind**:
 * it gets nothing more until it has read what it was sent, and then the whole
 * state, so that it has missed nothing; one that stays behind is closed.
 *
 * @module
 */

/** What may be on its way to one reader, in bytes. */
const BUFFER_BYTES = 256 * 1024;

/** How long a reader may be behind, in milliseconds. */
const MAX_BEHIND_MS = 20_000;

const encoder = new TextEncoder();

/** An event as it travels (HTML, 9.2.5). */
export function encodeEvent(event: string, data: unknown): Uint8Array<
  ArrayBuffer
> {
  // JSON has no line end in it.
  return encoder.encode(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
}

interface Reader {
  controller: ReadableStreamDefaultController<Uint8Array>;
  /** Since when it is behind; null: it is not. */
  behindSince: number | null;
}

/** The readers of one stream. */
export class Readers {
  readonly #readers = new Set<Reader>();
  readonly #whole: () => Uint8Array<ArrayBuffer>[];
  readonly #onEmpty: () => void;

  /** Nobody reads at first. */
  constructor(options: {
    /** All there is to know, as events. */
    whole(): Uint8Array<ArrayBuffer>[];
    /** The last one has left. */
    onEmpty(): void;
  }) {
    this.#whole = options.whole;
    this.#onEmpty = options.onEmpty;
  }

  /** How many there are. */
  get size(): number {
    return this.#readers.size;
  }

  /** A new reader, which gets the whole state first. */
  add(): ReadableStream<Uint8Array> {
    let reader: Reader;
    return new ReadableStream<Uint8Array>({
      start: (controller) => {
        reader = { controller, behindSince: null };
        for (const event of this.#whole()) controller.enqueue(event);
        this.#readers.add(reader);
      },
      pull: () => {
        if (reader.behindSince === null) return;
        reader.behindSince = null;
        for (const event of this.#whole()) reader.controller.enqueue(event);
      },
      cancel: () => this.#remove(reader),
    }, new ByteLengthQueuingStrategy({ highWaterMark: BUFFER_BYTES }));
  }

  /** Sends an event to all. */
  send(event: Uint8Array<ArrayBuffer>): void {
    const now = performance.now();
    for (const reader of [...this.#readers]) {
      const { controller, behindSince } = reader;
      if (behindSince === null && controller.desiredSize! > 0) {
        controller.enqueue(event);
      } else if (behindSince === null) reader.behindSince = now;
      else if (now - behindSince > MAX_BEHIND_MS) {
        controller.error(new Error("the reader does not read"));
        this.#remove(reader);
      }
    }
  }

  /** Ends all of them. */
  close(): void {
    for (const { controller } of this.#readers) {
      try {
        controller.close();
      } catch {
        // It has left at the same time.
      }
    }
    this.#readers.clear();
  }

  #remove(reader: Reader): void {
    if (this.#readers.delete(reader) && this.#readers.size === 0) {
      this.#onEmpty();
    }
  }
}

/**
 * What is told of runs beside their statuses, on its way to the broker: events
 * and output, each task's on topics of its own.
 *
 * Neither a run nor a status ever waits for it. What is to be told waits here,
 * and gives way to everything else (see `../mqtt/outbox.ts`). All of it together
 * has a bound. Beyond that, something is left out: of the topic on which most
 * waits, the oldest message, and never the newest. A message gets its number
 * when it is sent, so the numbers have no gaps, and says how much was left out
 * before it. So a subscriber knows what is missing and where, and always gets
 * the end.
 *
 * @module
 */
import type { BulkMessage } from "../messages/packets.ts";
import type { Log, Outlet } from "./ports.ts";

/** What may wait, for all tasks together, in bytes. */
const MOST_BYTES = 8 * 1024 * 1024;

/** What a message that waits takes beside its text, in bytes, about. */
const OVERHEAD_BYTES = 256;

/** Something to be told, before it has its number. */
export interface Piece {
  /** The size of its text. */
  size: number;
  /** How much is missing if it is left out: 1 event, or its bytes. */
  amount(): number;
  /** The message that it becomes. */
  encode(place: { seq: number; leftOut: number }): string;
}

interface Waiting {
  piece: Piece;
  /** What was left out between the one before and this one. */
  leftOut: number;
}

/** What is told on one topic. */
export class Telling {
  /** The topic. */
  readonly topic: string;
  readonly #narrator: Narrator;
  readonly #waiting: Waiting[] = [];
  #waitingBytes = 0;
  #underWay = 0;
  #seq = 0;
  #refused = false;
  #saidLate = false;
  #settled: PromiseWithResolvers<void> | null = null;

  /** Nothing yet. */
  constructor(topic: string, narrator: Narrator) {
    this.topic = topic;
    this.#narrator = narrator;
  }

  /** How many messages wait. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** How many bytes wait. */
  get waitingBytes(): number {
    return this.#waitingBytes;
  }

  /** Tells something, now or when there is room for it. */
  put(piece: Piece): void {
    if (this.#refused) return;
    this.#waiting.push({ piece, leftOut: 0 });
    this.#count(piece, 1);
    this.#narrator.added(this);
  }

  /** Settles when all that was told is acknowledged, refused or left out. */
  settled(): Promise<void> {
    if (this.#isSettled) return Promise.resolve();
    this.#settled ??= Promise.withResolvers<void>();
    return this.#settled.promise;
  }

  /** The next message. */
  take(): BulkMessage | null {
    const next = this.#waiting.shift();
    if (!next) return null;
    this.#count(next.piece, -1);
    this.#underWay++;
    return {
      message: this.#message(next),
      answered: (error) => {
        this.#underWay--;
        if (error !== undefined) this.#refuse(error);
        this.#settle();
      },
    };
  }

  /** Leaves out the oldest message that waits; the next one says so. */
  leaveOut(): void {
    const { piece, leftOut } = this.#waiting.shift()!;
    this.#count(piece, -1);
    this.#waiting[0]!.leftOut += leftOut + piece.amount();
    if (this.#saidLate) return;
    this.#saidLate = true;
    this.#narrator.log.warn(
      "the broker is too slow for what is told of a run; some of it is left out",
      { topic: this.topic },
    );
  }

  /** Leaves out all that waits but the newest, and sends that one at once. */
  hurry(): void {
    while (this.#waiting.length > 1) this.leaveOut();
    const last = this.take();
    if (!last) return;
    this.#narrator.outlet.publish(last.message).then(
      () => last.answered(),
      (error) => last.answered(error),
    );
  }

  /** Tells nothing more. */
  stop(): void {
    this.#refused = true;
    for (const { piece } of this.#waiting) this.#count(piece, -1);
    this.#waiting.length = 0;
    this.#settle();
  }

  get #isSettled(): boolean {
    return this.#waiting.length === 0 && this.#underWay === 0;
  }

  #message({ piece, leftOut }: Waiting) {
    const payload = piece.encode({ seq: ++this.#seq, leftOut });
    return { topic: this.topic, payload, qos: 1 as const };
  }

  #count(piece: Piece, sign: 1 | -1): void {
    const bytes = sign * (piece.size + OVERHEAD_BYTES);
    this.#waitingBytes += bytes;
    this.#narrator.counted(bytes);
  }

  #refuse(error: unknown): void {
    if (this.#refused) return;
    this.stop();
    this.#narrator.log.warn(
      "the broker refuses what is told of a run; no more of it is sent",
      { topic: this.topic, error },
    );
  }

  #settle(): void {
    if (this.#isSettled) this.#settled?.resolve();
  }
}

/** What is told of all the runs of this worker. */
export class Narrator {
  /** The control connection. */
  readonly outlet: Outlet;
  /** Settles when there is a connection. */
  readonly connected: () => Promise<void>;
  /** Where to write what happens. */
  readonly log: Log;
  /** Topics on which something waits; the first one has waited longest. */
  readonly #tellings = new Set<Telling>();
  #bytes = 0;

  /** Nothing is told yet. */
  constructor(
    options: { outlet: Outlet; connected: () => Promise<void>; log: Log },
  ) {
    this.outlet = options.outlet;
    this.connected = options.connected;
    this.log = options.log;
  }

  /** A telling has something more. */
  added(telling: Telling): void {
    this.#tellings.add(telling);
    while (this.#bytes > MOST_BYTES && this.#leaveOut());
    this.outlet.poke();
  }

  /** So much more waits, or less. */
  counted(bytes: number): void {
    this.#bytes += bytes;
  }

  /** The next message; one topic after the other, so that none has to wait. */
  take(): BulkMessage | null {
    for (const telling of this.#tellings) {
      this.#tellings.delete(telling);
      const parcel = telling.take();
      if (telling.waiting > 0) this.#tellings.add(telling);
      if (parcel) return parcel;
    }
    return null;
  }

  #leaveOut(): boolean {
    let longest: Telling | null = null;
    for (const telling of this.#tellings) {
      if (
        telling.waiting > 1 &&
        telling.waitingBytes > (longest?.waitingBytes ?? 0)
      ) longest = telling;
    }
    longest?.leaveOut();
    return longest !== null;
  }
}

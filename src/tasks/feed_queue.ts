/**
 * The live feeds of all runs, on their way to the broker: events and output,
 * each task's on topics of its own.
 *
 * Neither a run nor a status ever waits for them. What is to be published waits
 * here, and gives way to everything else (see `../mqtt/outbox.ts`). All of it together
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
const MAX_WAITING_BYTES = 8 * 1024 * 1024;

/** What a message that waits takes beside its text, in bytes, about. */
const OVERHEAD_BYTES = 256;

/** Something to be published, before it has its number. */
export interface FeedItem {
  size: number;
  /** How much is missing if it is left out: 1 event, or its bytes. */
  amount(): number;
  /** The message that it becomes. */
  encode(place: { seq: number; leftOut: number }): string;
}

interface Waiting {
  item: FeedItem;
  /** What was left out between the one before and this one. */
  leftOut: number;
}

/** What is published on one topic. */
export class FeedTopic {
  readonly topic: string;
  readonly #queue: FeedQueue;
  readonly #waiting: Waiting[] = [];
  #waitingBytes = 0;
  #underWay = 0;
  #seq = 0;
  #refused = false;
  #warned = false;
  #settled: PromiseWithResolvers<void> | null = null;

  constructor(topic: string, queue: FeedQueue) {
    this.topic = topic;
    this.#queue = queue;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  get waitingBytes(): number {
    return this.#waitingBytes;
  }

  /** Publishes something, now or when there is room for it. */
  put(item: FeedItem): void {
    if (this.#refused) return;
    this.#waiting.push({ item, leftOut: 0 });
    this.#count(item, 1);
    this.#queue.added(this);
  }

  /** Settles when all of it is acknowledged, refused or left out. */
  settled(): Promise<void> {
    if (this.#isSettled) return Promise.resolve();
    this.#settled ??= Promise.withResolvers<void>();
    return this.#settled.promise;
  }

  /** The next message. */
  take(): BulkMessage | null {
    const next = this.#waiting.shift();
    if (!next) return null;
    this.#count(next.item, -1);
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
    const { item, leftOut } = this.#waiting.shift()!;
    this.#count(item, -1);
    this.#waiting[0]!.leftOut += leftOut + item.amount();
    if (this.#warned) return;
    this.#warned = true;
    this.#queue.log.warn(
      "the broker is too slow for a run's events or output; some of it is left out",
      { topic: this.topic },
    );
  }

  /** Leaves out all that waits but the newest, and sends that one at once. */
  cutShort(): void {
    while (this.#waiting.length > 1) this.leaveOut();
    const last = this.take();
    if (!last) return;
    this.#queue.outlet.publish(last.message).then(
      () => last.answered(),
      (error) => last.answered(error),
    );
  }

  /** Publishes nothing more. */
  discard(): void {
    this.#refused = true;
    for (const { item } of this.#waiting) this.#count(item, -1);
    this.#waiting.length = 0;
    this.#settle();
  }

  get #isSettled(): boolean {
    return this.#waiting.length === 0 && this.#underWay === 0;
  }

  #message({ item, leftOut }: Waiting) {
    const payload = item.encode({ seq: ++this.#seq, leftOut });
    return { topic: this.topic, payload, qos: 1 as const };
  }

  #count(item: FeedItem, sign: 1 | -1): void {
    const bytes = sign * (item.size + OVERHEAD_BYTES);
    this.#waitingBytes += bytes;
    this.#queue.counted(bytes);
  }

  #refuse(error: unknown): void {
    if (this.#refused) return;
    this.discard();
    this.#queue.log.warn(
      "the broker refuses a run's events or output; no more of it is published",
      { topic: this.topic, error },
    );
  }

  #settle(): void {
    if (this.#isSettled) this.#settled?.resolve();
  }
}

/** The feeds of all the runs of this worker. */
export class FeedQueue {
  readonly outlet: Outlet;
  readonly connected: () => Promise<void>;
  readonly log: Log;
  /** Topics on which something waits; the first one has waited longest. */
  readonly #topics = new Set<FeedTopic>();
  #bytes = 0;

  constructor(
    options: { outlet: Outlet; connected: () => Promise<void>; log: Log },
  ) {
    this.outlet = options.outlet;
    this.connected = options.connected;
    this.log = options.log;
  }

  /** A topic has something more. */
  added(topic: FeedTopic): void {
    this.#topics.add(topic);
    while (this.#bytes > MAX_WAITING_BYTES && this.#leaveOut());
    this.outlet.bulkReady();
  }

  /** So much more waits, or less. */
  counted(bytes: number): void {
    this.#bytes += bytes;
  }

  /** The next message; one topic after the other, so that none has to wait. */
  take(): BulkMessage | null {
    for (const topic of this.#topics) {
      this.#topics.delete(topic);
      const next = topic.take();
      if (topic.waiting > 0) this.#topics.add(topic);
      if (next) return next;
    }
    return null;
  }

  #leaveOut(): boolean {
    let longest: FeedTopic | null = null;
    for (const topic of this.#topics) {
      if (
        topic.waiting > 1 &&
        topic.waitingBytes > (longest?.waitingBytes ?? 0)
      ) longest = topic;
    }
    longest?.leaveOut();
    return longest !== null;
  }
}

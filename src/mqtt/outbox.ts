/**
 * What is to be published and has not been acknowledged.
 *
 * Three rules keep it small and in order. On one topic one retained message is
 * under way at a time, so that the topic ends with what was published last. A
 * waiting message that may be replaced is, by the next one on its topic. And no
 * more are under way than the broker's Receive Maximum allows (MQTT 5, 4.9).
 * What is not retained does not wait for what went before: a flood of messages
 * to be rejected would pile up behind each other's acknowledgements. Where a
 * topic is used for several things, each can have a lane of its own.
 *
 * Beside that there is a source of bulk messages, which give way. None of them
 * waits here: one is asked for when nothing else can be sent, and when those that
 * are under way leave room for the rest, in the window and in the connection's
 * buffers. Several of one topic may be under way, or each would cost a round
 * trip; the broker keeps them in order (4.6).
 *
 * @module
 */
import type { BulkMessage, Outgoing } from "../messages/packets.ts";
import { ConnectionLostError } from "../messages/packets.ts";

/** What the broker refused; `code` is the reason code of its answer. */
export class PublishError extends Error {
  override name = "PublishError";
  readonly code: number;

  constructor(topic: string, code: number, reason: string) {
    super(`Cannot publish on "${topic}": ${reason}`);
    this.code = code;
  }
}

/** How many bytes of bulk messages may be under way. */
const MAX_BULK_BYTES = 256 * 1024;

/** Where bulk messages come from. */
export interface BulkSource {
  /** The next one; null if there is none now. */
  take(): BulkMessage | null;
}

interface Entry {
  message: Outgoing;
  done: PromiseWithResolvers<void>[];
}

interface Lane {
  underWay: boolean;
  waiting: Entry[];
}

/** Messages on their way to the broker. */
export class Outbox {
  readonly #lanes = new Map<string, Lane>();
  #ready: string[] = [];
  readonly #send: (message: Outgoing) => Promise<void>;
  /** How many lanes were made for one message only. */
  #single = 0;
  #underWay = 0;
  #window = 0;
  #idle: PromiseWithResolvers<void> | null = null;
  readonly #bulk: BulkSource | null;
  /** Bulk messages: how many are under way, and their bytes. */
  #bulkUnderWay = 0;
  #bulkBytes = 0;

  /**
   * An empty one, which sends nothing until it is opened.
   *
   * @param send publishes one message and settles with the broker's answer,
   * which may come on a later connection
   * @param bulk where bulk messages come from
   */
  constructor(
    send: (message: Outgoing) => Promise<void>,
    bulk: BulkSource | null = null,
  ) {
    this.#send = send;
    this.#bulk = bulk;
  }

  /** Lanes in which something waits or is under way. */
  get size(): number {
    return this.#lanes.size;
  }

  /**
   * Publishes a message, now or when the broker is there.
   *
   * @returns settles when it, or what has replaced it, is acknowledged
   * @throws {PublishError} the broker refused it
   */
  put(message: Outgoing): Promise<void> {
    if (message.fleeting && this.#window === 0) {
      return Promise.reject(new ConnectionLostError("there is no connection"));
    }
    const done = Promise.withResolvers<void>();
    // No topic has this character in it (MQTT 5, 4.7.3).
    const name = message.lane ??
      (message.retain
        ? message.topic
        : `${message.topic}\u0000${this.#single++}`);
    let lane = this.#lanes.get(name);
    if (!lane) {
      lane = { underWay: false, waiting: [] };
      this.#lanes.set(name, lane);
      this.#ready.push(name);
    }
    const last = lane.waiting.at(-1);
    if (last?.message.replaceable) {
      last.message = message;
      last.done.push(done);
    } else {
      lane.waiting.push({ message, done: [done] });
    }
    this.#pump();
    return done.promise;
  }

  /** The source has something again. */
  bulkReady(): void {
    this.#pump();
  }

  /** Opens the window: so many messages may be under way at once. */
  open(window: number): void {
    this.#window = window;
    this.#pump();
  }

  /** Sends nothing new until it is opened again. */
  close(): void {
    this.#window = 0;
    for (const [name, lane] of this.#lanes) {
      const kept = lane.waiting.filter(({ message }) => !message.fleeting);
      for (const { message, done } of lane.waiting) {
        if (!message.fleeting) continue;
        const error = new ConnectionLostError("the connection was lost");
        done.forEach(({ reject }) => reject(error));
      }
      lane.waiting = kept;
      if (kept.length === 0 && !lane.underWay) this.#lanes.delete(name);
    }
    this.#ready = this.#ready.filter((name) => this.#lanes.has(name));
    this.#tellIdle();
  }

  /** Settles when everything that was put has been answered. */
  idle(): Promise<void> {
    if (this.#lanes.size === 0) return Promise.resolve();
    this.#idle ??= Promise.withResolvers<void>();
    return this.#idle.promise;
  }

  #pump(): void {
    while (this.#underWay < this.#window) {
      const name = this.#ready.shift();
      if (name === undefined) {
        this.#pumpBulk();
        return;
      }
      const lane = this.#lanes.get(name)!;
      const entry = lane.waiting.shift()!;
      lane.underWay = true;
      this.#underWay++;
      this.#send(entry.message).then(
        () => entry.done.forEach((done) => done.resolve()),
        (error) => entry.done.forEach((done) => done.reject(error)),
      ).finally(() => {
        this.#underWay--;
        lane.underWay = false;
        if (lane.waiting.length > 0) this.#ready.push(name);
        else this.#lanes.delete(name);
        this.#tellIdle();
        this.#pump();
      });
    }
  }

  #tellIdle(): void {
    if (this.#lanes.size > 0) return;
    this.#idle?.resolve();
    this.#idle = null;
  }

  #pumpBulk(): void {
    const share = Math.max(1, Math.floor(this.#window / 2));
    while (
      this.#underWay < this.#window && this.#bulkUnderWay < share &&
      this.#bulkBytes < MAX_BULK_BYTES
    ) {
      const next = this.#bulk?.take();
      if (!next) return;
      const size = next.message.payload.length;
      this.#underWay++;
      this.#bulkUnderWay++;
      this.#bulkBytes += size;
      this.#send(next.message).then(
        () => next.answered(),
        (error) => next.answered(error),
      ).finally(() => {
        this.#underWay--;
        this.#bulkUnderWay--;
        this.#bulkBytes -= size;
        this.#pump();
      });
    }
  }
}

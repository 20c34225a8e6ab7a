/**
 * The live feed of one run: its events and what it prints, each on a topic of
 * its own, and all of it before the task's final status.
 *
 * @module
 */
import { fulfilledWithin } from "../deadline.ts";
import { encodeEvent, type UnnumberedEvent } from "../messages/event.ts";
import { encodeOutput, piecesOf } from "../messages/output.ts";
import type { Printed } from "../messages/output.ts";
import type { Topics } from "../messages/topics.ts";
import { type FeedQueue, FeedTopic } from "./feed_queue.ts";

/**
 * How long a final status waits for the acknowledgement of the feed, in
 * milliseconds; less than a worker that is stopped waits for its final statuses.
 */
const FEED_GRACE_MS = 5000;

/** What is published of a run beside its status. */
export interface FeedOptions {
  events: boolean;
  output: boolean;
  /** How much of the output, in bytes of UTF-8. */
  outputLimit: number;
}

/** The live feed of one run. */
export class RunFeed {
  readonly #taskId: string;
  readonly #queue: FeedQueue;
  readonly #events: FeedTopic;
  readonly #output: FeedTopic;

  constructor(
    taskId: string,
    { queue, topics }: { queue: FeedQueue; topics: Topics },
  ) {
    this.#taskId = taskId;
    this.#queue = queue;
    this.#events = new FeedTopic(topics.events(taskId), queue);
    this.#output = new FeedTopic(topics.output(taskId), queue);
  }

  /** What a run is to report, so that what is wanted can be published. */
  callbacks({ events, output, outputLimit }: FeedOptions): {
    onEvent?(event: UnnumberedEvent): void;
    output?: { limit: number; onOutput(printed: Printed): void };
  } {
    return {
      ...(events && { onEvent: (event) => this.#addEvent(event) }),
      ...(output && {
        output: {
          limit: outputLimit,
          onOutput: (printed) => this.#addOutput(printed, outputLimit),
        },
      }),
    };
  }

  /**
   * Settles when all of it is acknowledged. A broker that is there and
   * does not do that in time gets the end of it, and nothing more.
   */
  async finish(): Promise<void> {
    const feeds = [this.#events, this.#output];
    const settled = Promise.all(feeds.map((one) => one.settled()));
    const late = this.#queue.connected().then(() =>
      fulfilledWithin(FEED_GRACE_MS, settled)
    );
    await Promise.race([settled, late]);
    for (const feed of feeds) feed.cutShort();
  }

  /** Publishes nothing more. */
  discard(): void {
    this.#events.discard();
    this.#output.discard();
  }

  #addEvent(event: UnnumberedEvent): void {
    const { play, task, host, message } = event;
    const texts = [play, task, host, message];
    this.#events.put({
      size: texts.reduce((sum, text) => sum + (text?.length ?? 0), 0),
      amount: () => 1,
      encode: ({ seq, leftOut }) =>
        encodeEvent({
          task_id: this.#taskId,
          seq,
          ...event,
          left_out: leftOut,
        }),
    });
  }

  #addOutput(
    { stream, text, truncated = false }: Printed,
    limit: number,
  ): void {
    if (truncated) {
      text = `the output is longer than worker.output_limit, ${limit} bytes; ` +
        "the rest is not published";
    }
    for (const piece of piecesOf(text)) {
      this.#output.put({
        size: piece.length,
        amount: () => new TextEncoder().encode(piece).length,
        encode: ({ seq, leftOut }) =>
          encodeOutput({
            task_id: this.#taskId,
            seq,
            stream,
            text: piece,
            truncated,
            left_out: leftOut,
          }),
      });
    }
  }
}

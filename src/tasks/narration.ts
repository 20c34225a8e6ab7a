/**
 * What is told of one run: its events and what it prints, each on a topic of
 * its own, and all of it before the task's final status.
 *
 * @module
 */
import { fulfilledWithin } from "../deadline.ts";
import { encodeEvent, type UnnumberedEvent } from "../messages/event.ts";
import { encodeOutput, piecesOf } from "../messages/output.ts";
import type { Printed } from "../messages/output.ts";
import type { Topics } from "../messages/topics.ts";
import { type Narrator, Telling } from "./narrator.ts";

/**
 * How long a final status waits for the acknowledgement of what was told, in
 * milliseconds; less than a worker that is stopped waits for its final statuses.
 */
const LAST_WORDS_MS = 5000;

/** What is told of a run beside its status. */
export interface Tell {
  /** Whether its events are. */
  events: boolean;
  /** Whether what it prints is. */
  output: boolean;
  /** How much of that, in bytes of UTF-8. */
  outputLimit: number;
}

/** What is told of one run. */
export class Narration {
  readonly #taskId: string;
  readonly #narrator: Narrator;
  readonly #events: Telling;
  readonly #output: Telling;

  /** Nothing is told yet. */
  constructor(
    taskId: string,
    { narrator, topics }: { narrator: Narrator; topics: Topics },
  ) {
    this.#taskId = taskId;
    this.#narrator = narrator;
    this.#events = new Telling(topics.events(taskId), narrator);
    this.#output = new Telling(topics.output(taskId), narrator);
  }

  /** What a run is to report, so that what is wanted can be told. */
  listen({ events, output, outputLimit }: Tell): {
    onEvent?(event: UnnumberedEvent): void;
    output?: { limit: number; onOutput(printed: Printed): void };
  } {
    return {
      ...(events && { onEvent: (event) => this.#tellEvent(event) }),
      ...(output && {
        output: {
          limit: outputLimit,
          onOutput: (printed) => this.#tellOutput(printed, outputLimit),
        },
      }),
    };
  }

  /**
   * Settles when all that was told is acknowledged. A broker that is there and
   * does not do that in time gets the end of it, and nothing more.
   */
  async finish(): Promise<void> {
    const tellings = [this.#events, this.#output];
    const settled = Promise.all(tellings.map((one) => one.settled()));
    const late = this.#narrator.connected().then(() =>
      fulfilledWithin(LAST_WORDS_MS, settled)
    );
    await Promise.race([settled, late]);
    for (const telling of tellings) telling.hurry();
  }

  /** Tells nothing more. */
  stop(): void {
    this.#events.stop();
    this.#output.stop();
  }

  #tellEvent(event: UnnumberedEvent): void {
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

  #tellOutput(
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

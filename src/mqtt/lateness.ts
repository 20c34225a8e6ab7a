/**
 * How late a broker is with what is retained: measured once, with a dozen
 * retained messages of one's own.
 *
 * A broker that keeps the order of what it is asked has sent all of them when a
 * fence is passed (see `fence.ts`). One that does not sends some later.
 *
 * @module
 */
import { fulfilledWithin } from "../deadline.ts";
import type { Outgoing } from "../messages/packets.ts";

/** How many messages it is measured with. */
const MESSAGES = 12;

/** A broker later than this is taken for one that has lost them; milliseconds. */
const MAX_LATENESS_MS = 3000;

/** The least time that is granted to a broker that is late at all. */
const MIN_PATIENCE_MS = 100;

/** What was late may be later still under load. */
const MARGIN = 3;

/** What it is measured with. */
export interface LatenessOptions {
  /** The topic of each message; `+` gives the filter for all of them. */
  topic(name: string): string;
  publish(message: Outgoing): Promise<void>;
  subscribe(filter: string): Promise<void>;
  unsubscribe(filter: string): Promise<void>;
  /** Settles where a broker in order would have sent everything. */
  fence(): Promise<void>;
}

/** Measures a broker. */
export class Lateness {
  readonly #options: LatenessOptions;
  readonly #missing = new Set<string>();
  #all = Promise.withResolvers<void>();

  /** Measures nothing before `measure()`. */
  constructor(options: LatenessOptions) {
    this.#options = options;
  }

  /**
   * Measures.
   *
   * @returns how long to wait for what is retained, beyond a fence, in
   * milliseconds; 0 for a broker in order
   * @throws {ConnectionLostError} the connection was lost
   */
  async measure(): Promise<number> {
    const { fence, publish, subscribe, topic, unsubscribe } = this.#options;
    const topics = Array.from({ length: MESSAGES }, (_, i) => topic(`!${i}`));
    const say = (payload: string) =>
      Promise.all(
        topics.map((each) =>
          publish({ topic: each, payload, qos: 1, retain: true })
        ),
      );
    await say("-");
    topics.forEach((each) => this.#missing.add(each));
    this.#all = Promise.withResolvers<void>();
    const filter = topic("+");
    await subscribe(filter);
    await fence();
    const from = performance.now();
    const late = this.#missing.size > 0;
    if (late) await fulfilledWithin(MAX_LATENESS_MS, this.#all.promise);
    this.#missing.clear();
    await unsubscribe(filter);
    await say("");
    return late
      ? Math.max(MIN_PATIENCE_MS, MARGIN * (performance.now() - from))
      : 0;
  }

  /** A message has come. */
  receive(topic: string): void {
    if (this.#missing.delete(topic) && this.#missing.size === 0) {
      this.#all.resolve();
    }
  }
}

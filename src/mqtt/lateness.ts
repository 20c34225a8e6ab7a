/**
 * How late a broker is with what is retained: measured once, with retained
 * messages of one's own.
 *
 * A broker that keeps the order of what it is asked has sent all of them when a
 * fence is passed (see `fence.ts`). One that does not sends some later, be it
 * seldom: so it is asked often.
 *
 * @module
 */
import { fulfilledWithin } from "../deadline.ts";
import type { Incoming, Outgoing } from "../messages/packets.ts";
import { MIN_PATIENCE_MS } from "./fence.ts";

/** How many messages a wildcard is to bring. */
const MESSAGES = 12;

/** How often that is done: the message of a fence may be the latest by chance. */
const ROUNDS = 3;

/** The same where something was late: the latest of them is what counts. */
const ROUNDS_OF_LATE = 12;

/** A broker later than this is taken for one that has lost them; milliseconds. */
const MAX_LATENESS_MS = 3000;

/** What was late may be later still under load. */
const MARGIN = 3;

/** What it is measured with. */
export interface LatenessOptions {
  /** How often one message is asked for at once, in each round. */
  times: number;
  /** The topic of each message; `+` gives the filter for all of them. */
  topic(name: string): string;
  /** Settles with the broker's acknowledgement. */
  publish(message: Outgoing): Promise<void>;
  /** Subscribes at QoS 0, retained messages included. */
  subscribe(filter: string): Promise<void>;
  /** Ends that. */
  unsubscribe(filter: string): Promise<void>;
  /** Settles where a broker in order would have sent everything. */
  fence(): Promise<void>;
}

/** Measures a broker. */
export class Lateness {
  readonly #options: LatenessOptions;
  readonly #topics: string[];
  /** How many of each are still to come. */
  readonly #missing = new Map<string, number>();
  #all = Promise.withResolvers<void>();

  /** Measures nothing before `measure()`. */
  constructor(options: LatenessOptions) {
    this.#options = options;
    this.#topics = Array.from(
      { length: MESSAGES },
      (_, i) => options.topic(`!${i}`),
    );
  }

  /**
   * Measures.
   *
   * @returns how long to wait for what is retained, beyond a fence, in
   * milliseconds; 0 for a broker in order
   * @throws {ConnectionLostError} the connection was lost
   */
  async measure(): Promise<number> {
    const { publish, times, topic } = this.#options;
    const topics = this.#topics;
    const say = (payload: string) =>
      Promise.all(
        topics.map((each) =>
          publish({ topic: each, payload, qos: 1, retain: true })
        ),
      );
    await say("-");
    const one = topics[0]!;
    let late = await this.#lateness(topic("+"), { times: 1, bringing: topics });
    const rounds = () =>
      late > 0 && late < MAX_LATENESS_MS ? ROUNDS_OF_LATE : ROUNDS;
    for (let round = 0; round < rounds(); round++) {
      const looks = { times, bringing: [one] };
      late = Math.max(late, await this.#lateness(one, looks));
    }
    await say("");
    return late > 0 ? Math.max(MIN_PATIENCE_MS, MARGIN * late) : 0;
  }

  /** How much later than a fence the last one comes, in milliseconds. */
  async #lateness(
    filter: string,
    { times, bringing }: { times: number; bringing: string[] },
  ): Promise<number> {
    const { fence, subscribe, unsubscribe } = this.#options;
    for (const topic of bringing) this.#missing.set(topic, times);
    this.#all = Promise.withResolvers<void>();
    await Promise.all(
      Array.from({ length: times }, () => subscribe(filter)),
    );
    await fence();
    const from = performance.now();
    const isLate = this.#missing.size > 0;
    if (isLate) await fulfilledWithin(MAX_LATENESS_MS, this.#all.promise);
    this.#missing.clear();
    await unsubscribe(filter);
    return isLate ? Math.max(1, performance.now() - from) : 0;
  }

  /**
   * A message has come; returns whether it was only for this. One that was not
   * retained yet when it was asked for comes as a new one.
   */
  receive({ topic }: Incoming): boolean {
    if (!this.#topics.includes(topic)) return false;
    const left = this.#missing.get(topic);
    if (!left) return true;
    if (left > 1) this.#missing.set(topic, left - 1);
    else this.#missing.delete(topic);
    if (this.#missing.size === 0) this.#all.resolve();
    return true;
  }
}

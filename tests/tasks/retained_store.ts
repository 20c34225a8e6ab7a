/**
 * A broker as one worker sees it, reduced to what it retains: every message is
 * there at once, and what is retained comes with the answer to a subscription.
 *
 * @module
 */
import type { Incoming, Outgoing } from "../../src/messages/packets.ts";
import type { RecordChannel } from "../../src/tasks/records.ts";

/** Whether a filter with one level left open fits a topic (4.7). */
function matches(filter: string, topic: string): boolean {
  const [before, after] = filter.split("+");
  return after === undefined
    ? filter === topic
    : topic.startsWith(before!) && topic.endsWith(after) &&
      !topic.slice(before!.length, topic.length - after.length).includes("/");
}

/** The store, and the channel to it. */
export class RetainedStore implements RecordChannel {
  readonly retained = new Map<string, Outgoing>();
  /** What was published, in order; a message without a payload clears. */
  readonly published: Outgoing[] = [];
  /** What was looked up, and at which QoS. */
  readonly lookUps: { topic: string; qos: 0 | 1 }[] = [];
  readonly subscribed = new Set<string>();
  /** Read again at each use. */
  patienceMs = 0;
  readonly #receive: (message: Incoming) => void;

  /** @param receive is given what comes */
  constructor(receive: (message: Incoming) => void) {
    this.#receive = receive;
  }

  lookUp(
    topic: string,
    { qos }: { qos: 0 | 1 } = { qos: 1 },
  ): Promise<void> {
    this.lookUps.push({ topic, qos });
    this.subscribed.add(topic);
    for (const message of this.retained.values()) {
      if (matches(topic, message.topic)) this.#give(message, true);
    }
    return Promise.resolve();
  }

  unsubscribe(topic: string): Promise<void> {
    this.subscribed.delete(topic);
    return Promise.resolve();
  }

  publish(message: Outgoing): Promise<void> {
    this.published.push(message);
    if (message.payload.length === 0) this.retained.delete(message.topic);
    else this.retained.set(message.topic, message);
    for (const filter of this.subscribed) {
      if (matches(filter, message.topic)) this.#give(message, false);
    }
    return Promise.resolve();
  }

  /** The text that is retained on a topic; null for none. */
  text(topic: string): string | null {
    const payload = this.retained.get(topic)?.payload;
    if (payload === undefined) return null;
    return typeof payload === "string"
      ? payload
      : new TextDecoder().decode(payload);
  }

  #give({ topic, payload, properties }: Outgoing, retained: boolean): void {
    this.#receive({
      topic,
      payload: typeof payload === "string"
        ? new TextEncoder().encode(payload)
        : payload,
      retained,
      properties: properties ?? {},
    });
  }
}

/**
 * The retained messages: one for each topic, the last one.
 *
 * @module
 */
import type { Message } from "./message.ts";
import type { TopicFilter } from "./subscription.ts";

/** The retained messages. */
export class Retained {
  readonly #messages: Map<string, Message>;
  readonly #now: () => number;

  /** None; those of another store, if that is given. */
  constructor(now: () => number, other?: Retained) {
    this.#now = now;
    this.#messages = new Map(other ? other.#messages : []);
  }

  /** Those that stand now, as they do now. */
  copy(): Retained {
    return new Retained(this.#now, this);
  }

  /** Keeps a message; an empty one removes what stood there (3.3.1-6). */
  keep(message: Message): void {
    if (message.payload.length === 0) this.#messages.delete(message.topic);
    else this.#messages.set(message.topic, message);
  }

  /** What stands on a topic. */
  get(topic: string): Message | undefined {
    const message = this.#messages.get(topic);
    return message && message.expiresAt > this.#now() ? message : undefined;
  }

  /** All topics with something on them. */
  topics(): string[] {
    return [...this.#messages.keys()];
  }

  /** All that stands on the topics of a filter. */
  matching(filter: TopicFilter): Message[] {
    if (!filter.hasWildcards) {
      const message = this.get(filter.text);
      return message ? [message] : [];
    }
    return [...this.#messages.values()].filter((message) =>
      message.expiresAt > this.#now() && filter.matches(message.topic)
    );
  }
}

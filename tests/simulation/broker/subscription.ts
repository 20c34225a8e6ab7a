/**
 * Subscriptions: which topics they are about, and which share they belong to.
 *
 * @module
 */
import type { ISubscribePacket } from "mqtt-packet";
import type { Qos } from "./message.ts";

/** One subscription of a session. */
export interface Subscription {
  /** As it was asked for, `$share/NAME/` in front of it where it has that. */
  readonly filter: string;
  /** Its topic filter. */
  readonly topic: TopicFilter;
  /** What was granted. */
  readonly qos: Qos;
  /** The client's own messages do not come back (3.8.3.1). */
  readonly noLocal: boolean;
  /** The retain flag is passed on (3.8.3.1). */
  readonly asPublished: boolean;
  /** Whether it is one of a share. */
  readonly isShared: boolean;
  /** The same for all that have replaced each other. */
  first: symbol;
}

/** Makes a subscription of what a SUBSCRIBE asks for. */
export function subscriptionOf(
  asked: ISubscribePacket["subscriptions"][number],
  { sharedQos }: { sharedQos: Qos },
): Subscription {
  const isShared = asked.topic.startsWith("$share/");
  return {
    filter: asked.topic,
    topic: new TopicFilter(
      isShared ? asked.topic.split("/").slice(2).join("/") : asked.topic,
    ),
    qos: isShared ? Math.min(asked.qos, sharedQos) as Qos : asked.qos,
    noLocal: asked.nl ?? false,
    asPublished: asked.rap ?? false,
    isShared,
    first: Symbol(),
  };
}

/** A topic filter (4.7). */
export class TopicFilter {
  /** The filter itself. */
  readonly text: string;
  /** Whether it is about more than one topic. */
  readonly hasWildcards: boolean;
  readonly #levels: string[];

  /** Reads it. */
  constructor(text: string) {
    this.text = text;
    this.hasWildcards = /[+#]/.test(text);
    this.#levels = text.split("/");
  }

  /** Whether it is about a topic; `levels` is that topic, split. */
  matches(
    topic: string,
    levels: readonly string[] = topic.split("/"),
  ): boolean {
    if (!this.hasWildcards) return topic === this.text;
    const filter = this.#levels;
    // A wildcard in front does not match $SYS and its like (4.7.2-1).
    if (levels[0]!.startsWith("$") && filter[0] !== levels[0]) return false;
    for (let i = 0; i < filter.length; i++) {
      if (filter[i] === "#") return true;
      if (i >= levels.length) return false;
      if (filter[i] !== "+" && filter[i] !== levels[i]) return false;
    }
    return filter.length === levels.length;
  }
}

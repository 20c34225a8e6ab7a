/**
 * What the broker knows of one client, whether it is connected or not (4.1).
 *
 * @module
 */
import type { Packet } from "mqtt-packet";
import { Flow, type FlowOptions } from "./flow.ts";
import type { Link } from "./link.ts";
import type { Message } from "./message.ts";
import type { Subscription } from "./subscription.ts";
import { bytesOf } from "./wire.ts";

/** A session that never ends by itself (3.1.2.11.2). */
const FOR_EVER = 0xffffffff;

/** What is published when the client vanishes. */
export interface Will {
  /** The message. */
  message: Message;
  /** How long it is kept back. */
  delaySeconds: number;
}

/** What a session needs. */
export interface SessionOptions
  extends Omit<FlowOptions, "send" | "connected"> {
  /** Is told of each packet that goes out. */
  onSend(session: Session, packet: Packet): void;
}

/** One session. */
export class Session {
  /** Its client id. */
  readonly id: string;
  /** Its connection. */
  link: Link | null = null;
  /** When that was made, in the broker's milliseconds. */
  linkedAt = 0;
  /** When it ends without one, in seconds. */
  expirySeconds = 0;
  /** What is to be published when the connection is lost. */
  will: Will | null = null;
  /** QoS 2 messages of the client for which PUBREL has not come. */
  readonly incoming: Map<number, Message>;
  /** What is on its way to the client. */
  readonly flow: Flow;
  /** What stops when the client is back. */
  readonly timers = new Set<{ cancel(): void }>();
  readonly #options: SessionOptions;
  readonly #exact: Map<string, Subscription>;
  /** With wildcards, or of a share. */
  readonly #others: Map<string, Subscription>;

  /** A new one; one that stands as another one did, if that is given. */
  constructor(id: string, options: SessionOptions, other?: Session) {
    this.id = id;
    this.#options = options;
    this.#exact = new Map(other ? other.#exact : []);
    this.#others = new Map(other ? other.#others : []);
    this.incoming = new Map(other?.incoming);
    this.expirySeconds = other?.expirySeconds ?? 0;
    this.will = other?.will ?? null;
    this.flow = new Flow({
      ...options,
      send: (packet) => this.send(packet),
      connected: () => this.link !== null,
    }, other?.flow);
  }

  /** One that stands as this one does, and does not change with it. */
  copy(): Session {
    return new Session(this.id, this.#options, this);
  }

  /** Whether it outlives everything but the client's own wish. */
  get isForEver(): boolean {
    return this.expirySeconds === FOR_EVER;
  }

  /** Sends a packet, if there is a connection. */
  send(packet: Packet): void {
    if (!this.link) return;
    this.#options.onSend(this, packet);
    this.link.send(bytesOf(packet));
  }

  /** @returns whether it is new */
  subscribe(subscription: Subscription): boolean {
    const { filter, isShared, topic } = subscription;
    const map = isShared || topic.hasWildcards ? this.#others : this.#exact;
    const replaced = map.get(filter);
    if (replaced) subscription.first = replaced.first;
    map.set(filter, subscription);
    return !replaced;
  }

  /** @returns whether it was there */
  unsubscribe(filter: string): boolean {
    return this.#exact.delete(filter) || this.#others.delete(filter);
  }

  /**
   * Whether a subscription is still there: one that was replaced loses nothing
   * (3.8.4-3).
   */
  has({ filter, first }: Subscription): boolean {
    return (this.#exact.get(filter) ?? this.#others.get(filter))?.first ===
      first;
  }

  /** Ends its shared subscriptions. */
  leaveShares(): void {
    for (const [filter, { isShared }] of this.#others) {
      if (isShared) this.#others.delete(filter);
    }
  }

  /** The subscriptions that are about a topic; `levels` is that topic, split. */
  *matching(
    topic: string,
    levels: readonly string[] = topic.split("/"),
  ): Iterable<Subscription> {
    const exact = this.#exact.get(topic);
    if (exact) yield exact;
    for (const subscription of this.#others.values()) {
      if (subscription.topic.matches(topic, levels)) yield subscription;
    }
  }

  /** Nothing that was to happen without a connection happens any more. */
  stopTimers(): void {
    for (const timer of this.timers) timer.cancel();
    this.timers.clear();
  }
}

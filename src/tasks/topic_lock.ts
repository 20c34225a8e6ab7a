/**
 * A lock on a topic: the group agrees by one retained topic on who has
 * something.
 *
 * What is published there carries, as MQTT user properties, the `token` of its
 * holder (new each time that somebody takes the lock) and a `seq` that rises
 * with each message. To take a lock, one
 *
 * 1. subscribes to its topic, and so learns what stands there and sees
 *    everything that is published from then on;
 * 2. decides by it whether the lock may be taken at all;
 * 3. publishes with a token of one's own, and waits until that message has come
 *    back.
 *
 * The broker puts all publications on a topic into one order, and every
 * contender is subscribed before it publishes. So of two that take a lock at
 * once, the later one sees the message of the earlier one before its own, and
 * gives way; the earlier one sees its own first, and has the lock. The one that
 * gave way puts back what it has overwritten, and the holder does the same when
 * it sees a stranger's message on its topic.
 *
 * Whoever takes a lock over from its holder publishes the holder's token as
 * `from`. A holder that sees its own token there no longer has the lock. Of two
 * that take it over from one holder, the same order decides; a stranger that
 * comes in between gives way to the holder, and so to whoever takes over from
 * it.
 *
 * A lock is
 *
 * - **new**: nothing is known of it yet;
 * - **looking**: subscribing; what stands on the topic is coming;
 * - **looked**: it may be taken, and nothing was published for that;
 * - **taking**: our message is on its way;
 * - **overtaken**: it still is, and somebody else's has come before it;
 * - **held**: ours;
 * - **lost**: somebody else's;
 * - **released**: let go of; the topic is no longer watched.
 *
 * @module
 */
import {
  ConnectionLostError,
  type Incoming,
  type Outgoing,
} from "../messages/packets.ts";
import type { Channel } from "./ports.ts";

/** Where a lock stands, as seen from here. */
export type LockState =
  | "new"
  | "looking"
  | "looked"
  | "taking"
  | "overtaken"
  | "held"
  | "lost"
  | "released";

const NEXT: Record<LockState, readonly LockState[]> = {
  new: ["looking", "released"],
  looking: ["looked", "held", "released"],
  looked: ["taking", "lost", "released"],
  taking: ["held", "overtaken", "released"],
  overtaken: ["lost", "released"],
  held: ["looking", "lost", "released"],
  lost: ["looking", "released"],
  released: [],
};

/**
 * What to do about a lock after a look at its topic: take it, from the holder
 * of a token or from nobody; go on holding it; or leave it alone.
 */
export type Decision = { takeFrom: string | null } | "hold" | "leave";

/** A message for the topic of a lock. */
export type LockMessage = Omit<Outgoing, "topic">;

/** What a lock needs. */
export interface TopicLockOptions {
  topic: string;
  channel: Channel;
  /** Settles when the channel is connected. */
  connected(): Promise<void>;
  /** Somebody has taken the lock over from us by this message. */
  onLost(message: Incoming): void;
  /** Somebody has published on our topic who does not have the lock. */
  onStranger(message: Incoming): void;
  /** The broker has refused what was published to put something right. */
  onRefused(error: unknown): void;
  /** It was let go of. */
  onReleased(): void;
}

/** One lock. */
export class TopicLock {
  readonly #options: TopicLockOptions;
  #state: LockState = "new";
  /**
   * Ours. Empty before the lock is taken: what is published then takes nothing,
   * and is no rival's.
   */
  #token = "";
  /** The token that we take the lock over from. */
  #from: string | null = null;
  /** Whether a message with that token stood there when we looked. */
  #holderSeen = false;
  /** The last message from somebody else. */
  #last: Incoming | null = null;
  /** Whether one of ours has come since we began to look. */
  #ownStands = false;
  #echo: PromiseWithResolvers<void> | null = null;
  /** The newest seq of ours that was published, and that has come back. */
  #seq = 0;
  #seenSeq = -1;
  #newest: Outgoing | null = null;

  constructor(options: TopicLockOptions) {
    this.#options = options;
  }

  /** Our token, while we hold the lock; null otherwise. */
  get token(): string | null {
    return this.#state === "held" ? this.#token : null;
  }

  /**
   * Looks at what stands on the topic, whether or not the lock is held.
   *
   * @param decide is given the last message from somebody else, if there is one
   */
  async look(decide: (standing: Incoming | null) => Decision): Promise<void> {
    this.#move("looking");
    try {
      await this.#subscribe();
    } catch (error) {
      this.letGo();
      throw error;
    }
    // Let go of meanwhile.
    if (this.#state !== "looking") return;
    // Decided here and not by whoever waits for this: the next message may be
    // handled before that goes on.
    const decision = decide(this.#last);
    if (decision === "leave") this.letGo();
    else if (decision === "hold") this.#move("held");
    else {
      this.#from = decision.takeFrom;
      this.#holderSeen = this.#from !== null &&
        (this.#last?.properties.user?.token === this.#from ||
          (this.#ownStands && this.#token === this.#from));
      this.#move("looked");
    }
  }

  /**
   * Takes a lock that was looked at.
   *
   * @param message says that it is ours
   * @param token new, and of nobody else
   * @returns false if somebody else has it; it is let go of then
   * @throws the broker refused the message; the lock is let go of
   */
  async take(message: LockMessage, token: string): Promise<boolean> {
    if (this.#state === "looked") {
      this.#move("taking");
      this.#token = token;
      this.#seq = 0;
      this.#seenSeq = -1;
      this.#echo = Promise.withResolvers<void>();
      this.publish(message).catch((error) => this.#echo?.reject(error));
      try {
        await this.#echo.promise;
      } catch (error) {
        this.letGo();
        throw error;
      } finally {
        this.#echo = null;
      }
      if (this.token !== null) return true;
      await this.#putBack().catch(this.#options.onRefused);
    }
    this.letGo();
    return false;
  }

  /**
   * Publishes a message on the topic in the name of the holder.
   *
   * @returns settles when the broker has acknowledged it
   */
  publish(message: LockMessage): Promise<void> {
    this.#newest = {
      ...message,
      topic: this.#options.topic,
      properties: {
        ...message.properties,
        user: {
          token: this.#token,
          seq: String(++this.#seq),
          ...(this.#from && { from: this.#from }),
        },
      },
    };
    return this.#options.channel.publish(this.#newest);
  }

  /** Takes note of a message on the topic. */
  receive(message: Incoming): void {
    const { token, from, seq } = message.properties.user ?? {};
    // What was published without the lock has no token, ours neither.
    if (token && token === this.#token) {
      this.#receiveOwn(Number(seq));
      return;
    }
    switch (this.#state) {
      case "looked":
      case "taking":
      case "overtaken":
        // The holder that we take it over from: it waits for our answer, and
        // has not taken it back, for which it would use a new token.
        if (token !== undefined && token === this.#from) return;
        // A stranger: it sees that holder's message before its own, gives way,
        // and puts right what it has overwritten.
        if (
          this.#state !== "overtaken" && this.#holderSeen && from !== this.#from
        ) return;
        this.#last = message;
        if (this.#state === "looked") this.#move("lost");
        else if (this.#state === "taking") this.#move("overtaken");
        return;
      case "held":
        if (from === this.#token) {
          this.#move("lost");
          this.#options.onLost(message);
        } else {
          this.#options.onStranger(message);
          this.assert();
        }
        return;
      case "lost":
        // What we have put back may come after what was published meanwhile.
        if (!isOlder(message, this.#last)) this.#last = message;
        return;
      default:
        this.#last = message;
    }
  }

  /** Publishes once more what we have published last. */
  assert(): void {
    this.#assert().catch(this.#options.onRefused);
  }

  /**
   * Does so if the lock is still ours when all that was published before has
   * come: after a time without a connection that can be much, and somebody may
   * have taken the lock over in it.
   */
  async #assert(): Promise<void> {
    const isOurs = () => this.#state === "taking" || this.#state === "held";
    await this.#ask(() => this.#caughtUp(), isOurs);
    if (!isOurs() || !this.#newest) return;
    await this.#options.channel.publish({ ...this.#newest, replaceable: true });
  }

  /**
   * After a reconnect on which the broker had no session: subscribes again, and
   * publishes again what stood there.
   */
  async sessionLost(): Promise<void> {
    // What is looking subscribes by itself.
    if (this.#state === "looking" || this.#state === "released") return;
    const { channel, topic } = this.#options;
    await channel.subscribe(topic, { qos: 1 });
    if (this.#state === "taking" || this.#state === "held") this.assert();
  }

  /** Watches the topic no longer. What stands there stays. */
  letGo(): void {
    if (this.#state === "released") return;
    this.#move("released");
    // Without a connection the subscription stays in the session; what it
    // brings is for nobody here, and is passed over.
    const { channel, onReleased, topic } = this.#options;
    onReleased();
    channel.unsubscribe(topic).catch(() => {});
  }

  #receiveOwn(seq: number): void {
    switch (this.#state) {
      case "looking":
        this.#ownStands = true;
        break;
      case "taking":
      case "overtaken":
        // Decided here and not where it is awaited: the next message may be
        // handled before that goes on.
        this.#move(this.#state === "taking" ? "held" : "lost");
        this.#echo?.resolve();
        break;
      case "held":
        if (seq < this.#seenSeq) {
          // Somebody has put back an older one of ours.
          this.assert();
          return;
        }
    }
    this.#seenSeq = seq;
  }

  /**
   * Puts back what was overwritten. If its holder publishes something newer while
   * that is on its way, and looks no longer, that is overwritten in turn: so
   * whoever puts back looks for that.
   */
  async #putBack(): Promise<void> {
    const { channel, topic } = this.#options;
    for (let put: Incoming | null = null; this.#last && this.#last !== put;) {
      put = this.#last;
      const { payload, properties } = put;
      await channel.publish({
        topic,
        payload,
        properties,
        qos: 1,
        retain: true,
      });
      await this.#caughtUp();
    }
  }

  /**
   * Subscribes, and returns when the retained message, if there is one, has
   * come. The broker sends it after its SUBACK; the answer to a second
   * subscription, which asks for no retained message, comes after it.
   */
  #subscribe(): Promise<void> {
    const { channel, topic } = this.#options;
    return this.#ask(async () => {
      this.#last = null;
      this.#ownStands = false;
      // One after the other: two answers in a row make a broker that uses
      // Nagle's algorithm wait 40 ms for our TCP acknowledgement.
      await channel.subscribe(topic, { qos: 1 });
      await this.#caughtUp();
    }, () => this.#state === "looking");
  }

  /**
   * Settles when all that was published on the topic before has come here:
   * nothing new is asked for, and the answer comes after it.
   */
  #caughtUp(): Promise<void> {
    const { channel, topic } = this.#options;
    return channel.subscribe(topic, { qos: 1, retained: false });
  }

  /** Asks the broker, again after each lost connection, while that is wanted. */
  async #ask(
    request: () => Promise<void>,
    isWanted: () => boolean,
  ): Promise<void> {
    for (;;) {
      await this.#options.connected();
      if (!isWanted()) return;
      try {
        return await request();
      } catch (error) {
        if (!(error instanceof ConnectionLostError)) throw error;
      }
    }
  }

  #move(to: LockState): void {
    if (!NEXT[this.#state].includes(to)) {
      throw new TypeError(
        `Cannot move the lock on "${this.#options.topic}" from ${this.#state} to ${to}`,
      );
    }
    this.#state = to;
  }
}

/** Whether a message was published before another one, by the same holder. */
function isOlder(message: Incoming, other: Incoming | null): boolean {
  const { token, seq } = message.properties.user ?? {};
  const { user } = other?.properties ?? {};
  return token !== undefined && token === user?.token &&
    Number(seq) <= Number(user?.seq);
}

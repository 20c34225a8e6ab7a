/**
 * A lock on a retained topic: by it the workers of a group agree on who has what
 * the topic stands for.
 *
 * Whoever wants it subscribes to the topic, looks what stands there, and
 * publishes a **bid**: a message with a token of its own. Every bidder sees the
 * bids of all others, and two of them settle it by one rule that both know:
 *
 * 1. the higher rank has it (what runs before what waits, what has ended before
 *    what runs);
 * 2. of two that wait, the one that has waited longer; then the lower token;
 * 3. of two of a higher rank, the one whose message came first, for nobody acts
 *    upon its own before that has come back; should both have acted, again the
 *    one that has waited longer, then the lower token.
 *
 * The loser falls silent. The winner says its own once more, so that the topic
 * ends with it, and so that a loser which has not seen it learns of it. Ranks
 * only rise, so that comes to an end; and whoever compares compares the same
 * two messages or later ones, so never do both fall silent.
 *
 * A holder lets go of what it holds when somebody bids `from` its token, which
 * is known to whoever it was offered to, and to whoever takes over from the dead;
 * unless its own rank is higher by now, and the bid comes too late.
 *
 * A lock is
 *
 * - **open**: nothing was looked at;
 * - **looking**: subscribed; what stands there is on its way;
 * - **looked**: it is known what stands there, and bids are watched;
 * - **taking**: our bid is on its way, and has not come back;
 * - **held**: it is ours, as far as anybody knows;
 * - **entering**: still ours; our bid of a higher rank has not come back;
 * - **lost**: somebody else has it;
 * - **resting**: it was ours to the end, and is watched no more; with a new
 *   connection it is looked at once, whether the broker still knows the end;
 * - **closed**: nothing is watched any more.
 *
 * Nothing is said blindly: what was not acknowledged when the connection was lost
 * is given up, and said again, as it is by then, after a look at what has become
 * of the topic meanwhile.
 *
 * The broker is asked for what the standard promises, that all who are
 * subscribed see the messages of one topic in one order. That a look sees what
 * stands there is not promised (see `../mqtt/look_up.ts`), and not relied upon:
 * what it has missed comes later, and is settled by the same rule.
 *
 * @module
 */
import {
  ConnectionLostError,
  type Incoming,
  type Outgoing,
} from "../messages/packets.ts";

/** What the lock has to know of a message on its topic. */
export interface Bid {
  /** Names the bidder; null if nobody did. */
  readonly token: string | null;
  /** The token of the holder from whom this one takes over; null for nobody. */
  readonly from: string | null;
  /** Rises with each message under one token. */
  readonly seq: number;
  /** Of two bids the higher one has it. */
  readonly rank: number;
  /** Since when it has waited; ISO 8601. */
  readonly since: string;
  /** Whether a bid of this rank had come back to its bidder. */
  readonly held: boolean;
}

/** A message on the topic, and what the lock has read in it. */
export interface Sighting<T> {
  readonly value: T;
  readonly bid: Bid;
  readonly message: Incoming;
}

type State =
  | "open"
  | "looking"
  | "looked"
  | "taking"
  | "held"
  | "entering"
  | "lost"
  | "resting"
  | "closed";

const MOVES: Record<State, readonly State[]> = {
  open: ["looking", "closed"],
  looking: ["looked", "closed"],
  looked: ["taking", "lost", "resting", "closed"],
  taking: ["held", "lost", "closed"],
  held: ["taking", "entering", "lost", "resting", "closed"],
  entering: ["held", "lost", "closed"],
  lost: ["closed"],
  resting: ["closed"],
  closed: [],
};

/** Whether what is published on the topic matters here. */
function isWatched(state: State): boolean {
  return state !== "open" && state !== "looking" && state !== "lost" &&
    state !== "closed";
}

/** A message of our own, to which the lock adds the token and the number. */
export interface OwnMessage {
  readonly message: Outgoing;
  readonly rank: number;
}

/** What a lock needs. */
export interface TopicLockOptions<T> {
  /** Subscribes; settles when what stands on the topic has come. */
  lookUp(): Promise<void>;
  /** Ends the subscription. */
  unsubscribe(): void;
  /** Settles with the broker's acknowledgement. */
  publish(message: Outgoing): Promise<void>;
  /** Reads a message; null for one that is no bid. */
  read(message: Incoming): { value: T; bid: Bid } | null;
  /** Whether what stands there is over, and may be bid against whatever its rank. */
  isOver(value: T): boolean;
  /**
   * Somebody else has what was held; `contested`: by a bid of its own, not by
   * taking over from us.
   */
  onLost(to: Sighting<T>, how: { contested: boolean }): void;
  /** A message of ours was refused, that nobody waits for. */
  onRefused(error: unknown): void;
}

/** One lock, as one worker sees it. */
export class TopicLock<T> {
  readonly #options: TopicLockOptions<T>;
  #state: State = "open";
  #token = "";
  /** The holder that we take over from. */
  #from: string | null = null;
  #since = "";
  /** What we published last, without the number. */
  #own: OwnMessage | null = null;
  #seq = 0;
  /** The newest number of ours that was acknowledged, and that was seen. */
  #acknowledged = 0;
  #seen = 0;
  /** Settles when our bid with this number has come back, or has lost. */
  #awaited: { seq: number; won: PromiseWithResolvers<boolean> } | null = null;
  /** Settles when the topic was looked at since the connection was lost. */
  #unsure: PromiseWithResolvers<void> | null = null;
  /** What is to be said then. */
  #deferred: Promise<void> | null = null;
  /** What was seen last of others. */
  #theirs: Sighting<T> | null = null;

  /** Looks at nothing before `look()`. */
  constructor(options: TopicLockOptions<T>) {
    this.#options = options;
  }

  /** Our token while it is ours; null otherwise. */
  get token(): string | null {
    return this.#state === "held" || this.#state === "entering"
      ? this.#token
      : null;
  }

  /** Whether somebody else has it. */
  get isLost(): boolean {
    return this.#state === "lost";
  }

  /**
   * Looks what stands there, and watches it from now on.
   *
   * @returns null for nothing, or nothing that is a bid
   */
  async look(): Promise<Sighting<T> | null> {
    this.#move("looking");
    await this.#options.lookUp();
    if (this.#state === "looking") this.#move("looked");
    return this.#theirs;
  }

  /**
   * Bids, and waits to see whose it is.
   *
   * @param options.from the token of the holder that we take over from
   * @throws {PublishError} the broker refused the bid
   */
  async take(
    own: OwnMessage,
    options: { token: string; since: string; from: string | null },
  ): Promise<boolean> {
    if (this.#state === "lost") return false;
    if (this.#state === "held") this.#from = this.#token;
    else this.#from = options.from;
    this.#move("taking");
    this.#token = options.token;
    this.#since = options.since;
    this.#seq = this.#acknowledged = this.#seen = 0;
    if (this.#theirs && this.#isContender(this.#theirs)) {
      // It has come between the look and the bid.
      if (this.#isBetter(this.#theirs.bid, own.rank)) {
        this.#lose(this.#theirs);
        return false;
      }
    }
    return await this.#bid(own);
  }

  /**
   * Says the last word on what was looked at, and is not taken.
   *
   * @param options.from the token of the holder that is relieved by it
   * @throws {PublishError} the broker refused it
   */
  async finish(
    own: OwnMessage,
    options: { token: string; since: string; from: string | null },
  ): Promise<void> {
    if (this.#state !== "looked") return;
    this.#from = options.from;
    this.#token = options.token;
    this.#since = options.since;
    await this.publish(own);
  }

  /**
   * Bids with a higher rank, and waits to see that it is still ours.
   *
   * @throws {PublishError} the broker refused the bid
   */
  async enter(own: OwnMessage): Promise<boolean> {
    if (this.#state !== "held") return false;
    this.#move("entering");
    return await this.#bid(own);
  }

  /**
   * Says something newer of what is held; after the last bid, nothing is
   * settled by it.
   *
   * @throws {PublishError} the broker refused it
   */
  publish(own: OwnMessage): Promise<void> {
    this.#own = own;
    return this.#send();
  }

  /** The connection is lost: nothing is said before the next look. */
  disconnected(): void {
    this.#unsure ??= Promise.withResolvers<void>();
  }

  /**
   * With a new connection, or a reason for doubt: looks again, and says ours
   * again if the broker has something older, or nothing.
   */
  async reconnected(session: { present: boolean }): Promise<void> {
    if (!isWatched(this.#state)) {
      this.#sure();
      return;
    }
    this.#seen = 0;
    this.#theirs = null;
    // What came between ours and now may have been missed: only a new one tells.
    if (this.#awaited && !session.present) this.#awaited.seq = this.#seq + 1;
    await this.#options.lookUp();
    this.#sure();
    // It may have changed meanwhile.
    const state = this.#state as State;
    if (!this.#own || !isWatched(state)) return;
    if (state === "resting") {
      this.#options.unsubscribe();
      // Another task may have the same id by now.
      const theirs = this.#theirs as Sighting<T> | null;
      const isNewer = theirs !== null && theirs.bid.since > this.#since;
      if (this.#seen < this.#acknowledged && !isNewer) this.#assert();
    } else if (this.#awaited || this.#seen < this.#acknowledged) this.#assert();
  }

  /** A message on the topic. */
  receive(message: Incoming): void {
    if (this.#state === "open" || this.#state === "closed") return;
    const read = this.#options.read(message);
    if (!read) return;
    const { bid } = read;
    if (bid.token !== null && bid.token === this.#token) {
      this.#receiveOwn(bid.seq);
      return;
    }
    const sighting = { ...read, message };
    this.#theirs = sighting;
    if (!this.#own || this.#state === "lost" || this.#state === "resting") {
      return;
    }
    if (bid.from !== null && bid.from === this.#token) {
      // Offered to it, or it takes us for dead.
      if (bid.rank >= this.#own.rank) this.#lose(sighting);
      else this.#assert();
      return;
    }
    if (!this.#isContender(sighting)) {
      // The holder that we took over from had not seen ours yet when it said
      // this; the topic is to end with ours.
      if (bid.token !== null && bid.token === this.#from && this.#seen > 0) {
        this.#assert();
      }
      return;
    }
    if (this.#isBetter(bid, this.#own.rank)) this.#lose(sighting);
    else this.#assert();
  }

  /** It has come to its end here. */
  rest(): void {
    if (this.#state === "lost" || this.#state === "closed") return;
    this.#move("resting");
    this.#options.unsubscribe();
  }

  /** Watches it no more. */
  close(): void {
    if (this.#state === "closed") return;
    const subscribed = this.#state !== "open" && this.#state !== "resting";
    this.#move("closed");
    this.#sure();
    this.#awaited?.won.resolve(false);
    if (subscribed) this.#options.unsubscribe();
  }

  /** Whether a bid of somebody else is one against ours. */
  #isContender({ bid, value }: Sighting<T>): boolean {
    if (this.#options.isOver(value)) return false;
    // The holder that we take over from waits for our answer; unless it goes on
    // after all.
    const isHolder = bid.token !== null && bid.token === this.#from;
    return !isHolder || bid.rank > 0;
  }

  #isBetter(bid: Bid, rank: number): boolean {
    if (bid.rank !== rank) return bid.rank > rank;
    if (rank > 0) {
      // Theirs has come before ours came back.
      if (this.#state === "entering") return true;
      if (!bid.held) return false;
    }
    if (bid.since !== this.#since) return bid.since < this.#since;
    return (bid.token ?? "") < this.#token;
  }

  async #bid(own: OwnMessage): Promise<boolean> {
    this.#own = own;
    const won = Promise.withResolvers<boolean>();
    this.#awaited = { seq: this.#seq + 1, won };
    this.#send().catch((error) => won.reject(error));
    return await won.promise;
  }

  #receiveOwn(seq: number): void {
    const before = this.#seen;
    this.#seen = Math.max(before, seq);
    if (this.#awaited && seq >= this.#awaited.seq) {
      this.#move("held");
      this.#awaited.won.resolve(true);
      this.#awaited = null;
    } else if (seq < before && this.#state === "held") {
      // Somebody has put back an older one of ours.
      this.#assert();
    }
  }

  #lose(to: Sighting<T>): void {
    const awaited = this.#awaited;
    this.#awaited = null;
    this.#move("lost");
    if (awaited) awaited.won.resolve(false);
    else {
      this.#options.onLost(to, { contested: to.bid.from !== this.#token });
    }
  }

  /** Says ours once more. */
  #assert(): void {
    this.#send().catch((error) => this.#options.onRefused(error));
  }

  #sure(): void {
    this.#unsure?.resolve();
    this.#unsure = null;
  }

  /** Says ours as it is, now or when the topic was looked at again. */
  #send(): Promise<void> {
    if (!this.#unsure) return this.#sendNow();
    this.#deferred ??= this.#unsure.promise.then(() => {
      this.#deferred = null;
      return this.#send();
    });
    return this.#deferred;
  }

  async #sendNow(): Promise<void> {
    // It was lost, or let go of, before it could be said.
    if (this.#state === "lost" || this.#state === "closed") return;
    const { message } = this.#own!;
    const seq = ++this.#seq;
    const user: Record<string, string> = {
      ...message.properties?.user,
      token: this.#token,
      seq: String(seq),
    };
    if (this.#from !== null) user.from = this.#from;
    if (this.#state === "held") user.held = "1";
    try {
      await this.#options.publish({
        ...message,
        fleeting: true,
        properties: { ...message.properties, user },
      });
      this.#acknowledged = Math.max(this.#acknowledged, seq);
    } catch (error) {
      if (!(error instanceof ConnectionLostError)) throw error;
      this.disconnected();
      await this.#send();
    }
  }

  #move(to: State): void {
    if (!MOVES[this.#state].includes(to)) {
      throw new TypeError(`Cannot move the lock from ${this.#state} to ${to}`);
    }
    this.#state = to;
  }
}

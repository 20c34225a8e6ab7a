/**
 * A lock on a retained topic: by it the workers of a group agree on who has what
 * the topic stands for.
 *
 * Whoever wants it subscribes to the topic, looks what stands there, and
 * publishes a **bid**: a message with a token of its own (see `bid.ts`). Every
 * bidder sees the bids of all others, and two of them settle it by one rule that
 * both know:
 *
 * 1. the higher rank has it (what waits before what is refused, what runs before
 *    what waits, what has ended before what runs);
 * 2. of two that wait, the one that has waited longer; then the lower token;
 * 3. of two of a higher rank, the one whose message came first, for nobody acts
 *    upon its own before that has come back; should both have acted, again the
 *    one that has waited longer, then the lower token. Whoever has lost its
 *    session does not know what came before its own, and does not give way to a
 *    bid that has not come back: that bidder may have given way to it.
 *
 * The loser falls silent; if a message of its own may have come after what it
 * has lost to, it looks, and puts that back. Only then is whoever bid told. The
 * winner says its own once more, so that the topic ends with it, and so that a
 * loser which has not seen it learns of it. Ranks only rise, so that comes to an
 * end; and whoever compares compares the same two messages or later ones, so
 * never do both fall silent.
 *
 * A holder lets go of what it holds when somebody bids `from` its token, which
 * is known to whoever it was offered to, and to whoever takes over from the dead;
 * unless a message of its own with a higher rank has come before that bid. What
 * it says of a higher rank later comes too late, and all who have seen that bid
 * know it: a third one that gave way to it would give way to nobody. So whoever
 * was cut off says no end before a bid for that, of a rank between, has come back:
 * nobody is to read an end that does not count. A bid names
 * those before its holder as well: one of them may have seen none of the bids in
 * between, and find only the last of them.
 *
 * A lock is
 *
 * - **open**: nothing was looked at;
 * - **looking**: subscribed; what stands there is on its way;
 * - **looked**: it is known what stands there, and bids are watched;
 * - **taking**: our bid is on its way, and has not come back;
 * - **held**: it is ours, as far as anybody knows;
 * - **entering**: still ours; our bid of a higher rank has not come back;
 * - **lost**: somebody else has it; it is watched until the topic ends with
 *   theirs;
 * - **resting**: it was ours to the end. It is watched for some time yet: a bid
 *   may have been under way for long, and a broker may have forgotten the end;
 * - **closed**: nothing is watched any more.
 *
 * Nothing is said blindly: what was not acknowledged when the connection was lost
 * is given up, and said again, as it is by then, after a look at what has become
 * of the topic meanwhile.
 *
 * The broker is asked for what the standard promises, that all who are
 * subscribed see the messages of one topic in one order (4.6). That a look sees
 * what stands there is not promised (see `../mqtt/fence.ts`), and not relied upon:
 * what it has missed comes later, and is settled by the same rule. What is
 * retained, and comes after something that was published since the look, is older
 * than that, and passed over.
 *
 * @module
 */
import {
  ConnectionClosedError,
  ConnectionLostError,
  type Incoming,
  type Outgoing,
} from "../messages/packets.ts";
import {
  type Bid,
  bidderProperties,
  ending,
  isEarlier,
  lineOf,
  type OwnMessage,
  raised,
} from "./bid.ts";
import { isRefusal, isTooLarge, Refusals } from "./refusals.ts";

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

/** How often it is put back what was overwritten, before one gives up. */
const MAX_PUT_BACK = 5;

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
  /**
   * Whether what others have said is over, and may be bid against whatever its
   * rank.
   */
  isOver(value: T): boolean;
  /** Whether somebody may begin anew after this end of ours. */
  isReplaceable(end: T): boolean;
  /** Somebody else has what was held. */
  onLost(to: Sighting<T>): void;
  /** The same, and by a bid of its own: it has not taken it over from us. */
  onContested(): void;
  /** The broker has refused a message of ours, or a look; both are tried again. */
  onRefused(error: unknown): void;
}

/** One lock, as one worker sees it. */
export class TopicLock<T> {
  readonly #options: TopicLockOptions<T>;
  #state: State = "open";
  #token = "";
  /** The holder that we take over from. */
  #from: string | null = null;
  /** Those from whom that one had taken over, the latest first. */
  #before: readonly string[] = [];
  #since = "";
  /** What we published last, without the number. */
  #own: OwnMessage | null = null;
  #seq = 0;
  /** The newest number of ours that was acknowledged, and that was seen. */
  #acknowledged = 0;
  #seen = 0;
  /** The highest rank of ours that has come back. */
  #seenRank = 0;
  /** Whether the holder that we take over from has let go. */
  #isGranted = false;
  /** Settles when our bid with this number has come back, or has lost. */
  #awaited: {
    seq: number;
    /** Whether it may have come before what was seen of others. */
    mayBeFirst: boolean;
    won: PromiseWithResolvers<boolean>;
  } | null = null;
  /** A bid with this number tells, by coming back, that it is ours; 0 for none. */
  #inDoubtUntil = 0;
  /** What was said of it before its end. */
  #standing: OwnMessage | null = null;
  /** Settles when the topic was looked at since the connection was lost. */
  #unsure: PromiseWithResolvers<void> | null = null;
  /** What is to be said then. */
  #deferred: Promise<void> | null = null;
  readonly #refusals = new Refusals();
  /** Ends the wait after a refusal. */
  #retry: ReturnType<typeof setTimeout> | undefined;
  /** What stood there at the first look, and was judged by then. */
  #stood: Bid | null = null;
  /** The newest that was seen of others. */
  #theirs: Sighting<T> | null = null;
  /** The highest rank that was seen of others, by their tokens. */
  readonly #ranks = new Map<string, number>();
  /** The tokens of those from whom somebody else has taken it over. */
  readonly #relieved = new Set<string>();
  /** What was seen last on the topic: ours, or theirs. */
  #last: "nothing" | "ours" | Sighting<T> = "nothing";
  /** Something was published since the last look. */
  #isLive = false;
  /** The newest number of ours that is still to come back by this connection. */
  #dueBack = 0;
  /** Settles when that has come, or the connection was lost. */
  #comeBack: PromiseWithResolvers<void> | null = null;
  /** Settles when what was said last is acknowledged, refused or lost. */
  #sending: Promise<unknown> = Promise.resolve();
  /** Whether somebody else has it; also when it is watched no more. */
  #isLost = false;
  /** Whether it has ever been ours. */
  #hasHeld = false;
  /** Whether it is looked what hides ours. */
  #isChecking = false;
  /** How it ended. */
  #end: T | null = null;

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

  /** Whether it is ours, and waits. */
  get isWaiting(): boolean {
    return this.token !== null && this.#own!.rank === 0;
  }

  /**
   * Whether it is ours, and the connection was lost after our last bid for it:
   * somebody may have taken us for dead, and what we say may come after that.
   */
  get isInDoubt(): boolean {
    return this.token !== null && this.#inDoubtUntil > 0;
  }

  /** Whether it was bid for, and somebody else has it. */
  get isLost(): boolean {
    return this.#isLost;
  }

  /**
   * Looks what stands there, and watches it from now on.
   *
   * @returns null for nothing, or nothing that is a bid
   */
  async look(): Promise<Sighting<T> | null> {
    this.#move("looking");
    await this.#lookUp();
    if (this.#state === "looking") this.#move("looked");
    this.#stood = this.#theirs?.bid ?? null;
    return this.#theirs;
  }

  /**
   * Bids, and waits to see whose it is.
   *
   * @param options.from the token of the holder that we take over from
   */
  async take(
    own: OwnMessage,
    options: { token: string; since: string; from: string | null },
  ): Promise<boolean> {
    if (this.#isLost) return false;
    if (this.#state === "held") {
      this.#before = lineOf({ from: this.#from, before: this.#before });
      this.#from = this.#token;
      // What was settled when it was taken is settled.
      this.#theirs = null;
    } else {
      this.#from = options.from;
      const held = [this.#theirs?.bid, this.#stood].find((bid) =>
        bid && bid.token === options.from
      );
      this.#before = held ? lineOf(held) : [];
    }
    this.#move("taking");
    this.#token = options.token;
    this.#since = options.since;
    this.#seq =
      this.#acknowledged =
      this.#seen =
      this.#seenRank =
      this.#inDoubtUntil =
        0;
    this.#isGranted = false;
    this.#nothingDue();
    // One may have come between the look and the bid.
    const theirs = this.#theirs;
    if (
      theirs && this.#isContender(theirs, own.rank) &&
      this.#isBetter(theirs.bid, own.rank)
    ) {
      this.#lose(theirs);
      return false;
    }
    return await this.#bid(own);
  }

  /**
   * Says the last word on what was looked at, and is not taken; unless somebody
   * has taken it since.
   */
  async finish(
    own: OwnMessage,
    options: { token: string; since: string },
  ): Promise<void> {
    if (this.#state !== "looked") return;
    this.#token = options.token;
    this.#since = options.since;
    if (this.#theirs && this.#isContender(this.#theirs, own.rank)) {
      this.#lose(this.#theirs);
    } else await this.publish(own);
  }

  /** Bids with a higher rank, and waits to see that it is still ours. */
  async enter(own: OwnMessage): Promise<boolean> {
    if (this.#state !== "held") return false;
    this.#move("entering");
    return await this.#bid(own);
  }

  /**
   * Says what was said last with a higher rank, and waits to see that it is still
   * ours: whoever ends what waits is to be the only one.
   */
  raise(): Promise<boolean> {
    return this.enter(raised(this.#own!));
  }

  /**
   * Says something newer of what is held; after the last bid, nothing is
   * settled by it.
   */
  publish(own: OwnMessage): Promise<void> {
    this.#own = own;
    return this.#send();
  }

  /**
   * Says how what is held has ended. While it is in doubt that it is ours, it
   * is bid for it before, each time.
   *
   * @returns settles when that is acknowledged, or somebody else has it
   */
  end(own: OwnMessage): Promise<void> {
    this.#standing = this.#own;
    return this.publish(own);
  }

  /** The connection is lost: nothing is said before the next look. */
  disconnected(): void {
    clearTimeout(this.#retry);
    this.#nothingDue();
    this.#inDoubtUntil = this.#seq + 1;
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
    const awaited = this.#awaited;
    if (awaited && !session.present) {
      awaited.mayBeFirst ||= this.#seq >= awaited.seq;
      // What came between ours and now may have been missed: only a new one tells.
      awaited.seq = this.#seq + 1;
    }
    if (!await this.#isSeen(session)) return;
    const isMissing = this.#seen < this.#acknowledged;
    // What others have said after our end was settled when it came.
    const isHidden = isMissing && (!this.#theirs || this.#state !== "resting");
    // It may have changed meanwhile.
    const isOurs = this.#own && isWatched(this.#state);
    if (isOurs && (this.#awaited || isHidden)) void this.#send();
    this.#sure();
  }

  /** A message on the topic. */
  receive(message: Incoming): void {
    if (this.#state === "open" || this.#state === "closed") return;
    if (message.retained && this.#isLive) return;
    const read = this.#options.read(message);
    if (!read) return;
    if (!message.retained) this.#isLive = true;
    const { bid } = read;
    if (bid.token !== null && bid.token === this.#token) {
      this.#last = "ours";
      this.#receiveOwn(bid);
      return;
    }
    const sighting = this.#last = { ...read, message };
    const isTooLate = this.#note(bid);
    if (!isTooLate && this.#isNews(sighting)) this.#theirs = sighting;
    if (!this.#own || this.#state === "lost") return;
    if (this.#state === "resting") {
      this.#receiveAtRest(sighting);
      return;
    }
    if (this.#isRelieved(bid)) {
      this.#lose(sighting);
      return;
    }
    if (isTooLate) {
      if (this.#seen > 0) this.#assert();
      return;
    }
    if (!this.#isContender(sighting, this.#own.rank)) {
      // A copy is refused by somebody who has not seen that it is ours.
      if (bid.rank < 0 && bid.rank < this.#own.rank && this.#seen > 0) {
        this.#assert();
      }
      return;
    }
    if (this.#isBetter(bid, this.#own.rank)) this.#lose(sighting);
    else this.#assert();
  }

  /** It has come to its end here, which is what was published last. */
  rest(end: T): void {
    if (this.#state === "lost" || this.#state === "closed") return;
    this.#end = end;
    this.#move("resting");
  }

  /** Watches it no more; what was lost is watched as long as there is need. */
  close(): void {
    if (this.#state !== "closed" && this.#state !== "lost") this.#close();
  }

  #close(): void {
    const subscribed = this.#state !== "open";
    this.#move("closed");
    this.#sure();
    this.#awaited?.won.resolve(false);
    if (subscribed) this.#options.unsubscribe();
  }

  async #lookUp(): Promise<void> {
    this.#isLive = false;
    this.#last = "nothing";
    await this.#options.lookUp();
  }

  /** Looks; if the broker refuses that, again later, and nothing is said before. */
  async #isSeen(session: { present: boolean }): Promise<boolean> {
    try {
      await this.#lookUp();
      return true;
    } catch (error) {
      if (error instanceof ConnectionClosedError) return false;
      if (!isRefusal(error)) throw error;
      this.disconnected();
      this.#tryLater(error, () => void this.reconnected(session));
      return false;
    }
  }

  /**
   * Takes note of a bid.
   *
   * @returns whether its bidder had let go before that, for somebody else
   */
  #note(bid: Bid): boolean {
    const { token, rank } = bid;
    const isTooLate = token !== null && this.#relieved.has(token);
    if (token !== null && !isTooLate) {
      this.#ranks.set(token, Math.max(rank, this.#ranks.get(token) ?? rank));
    }
    for (const from of lineOf(bid)) {
      if (rank >= (this.#ranks.get(from) ?? rank)) this.#relieved.add(from);
    }
    return isTooLate;
  }

  /** Whether it takes over what was offered to it, or takes us for dead. */
  #isRelieved(bid: Bid): boolean {
    const ours = this.#awaited?.mayBeFirst ? this.#own!.rank : this.#seenRank;
    return lineOf(bid).includes(this.#token) && bid.rank >= ours;
  }

  /** Whether it takes the place of what was seen of others before. */
  #isNews({ bid }: Sighting<T>): boolean {
    const before = this.#theirs;
    if (!before || this.#options.isOver(before.value)) return true;
    if (bid.token === before.bid.token) return bid.seq >= before.bid.seq;
    if (bid.rank !== 0 || before.bid.rank !== 0) {
      return bid.rank >= before.bid.rank;
    }
    // Of two that wait, the one that loses falls silent, and may be the newer.
    return bid.from === before.bid.token || isEarlier(bid, before.bid);
  }

  /** A bid after the end: by somebody who has not seen it, or of another task. */
  #receiveAtRest({ bid }: Sighting<T>): void {
    // Also where we have refused what somebody else has taken.
    if (
      lineOf(bid).includes(this.#token) || bid.rank > this.#own!.rank
    ) this.#close();
    else if (
      bid.rank < this.#own!.rank &&
      (bid.since <= this.#since || !this.#options.isReplaceable(this.#end!))
    ) this.#assert();
  }

  /** Whether a bid of somebody else is one against ours of a rank. */
  #isContender({ bid, value }: Sighting<T>, rank: number): boolean {
    if (bid.token === this.#stood?.token && bid.seq <= this.#stood.seq) {
      return false;
    }
    // What it is about is another one, and over; ours has taken its place.
    if (bid.since !== this.#since && this.#options.isOver(value)) return false;
    // The holder that we take over from lets go when it sees ours, unless it has
    // gone further before.
    return bid.token === null || bid.token !== this.#from ||
      (!this.#isGranted && bid.rank > Math.max(0, rank));
  }

  #isBetter(bid: Bid, rank: number): boolean {
    if (bid.rank !== rank) {
      // What was refused before ours was said, and may not be replaced, is over.
      return bid.rank > rank || (bid.rank < 0 && this.#seq === 0);
    }
    // Two who refuse it: whoever is first.
    if (rank < 0) return this.#seen === 0;
    if (rank > 0) {
      // Theirs has come before ours was said.
      if (this.#seq === 0) return true;
      // Theirs has come before ours came back.
      if (this.#awaited) return bid.held || !this.#awaited.mayBeFirst;
      if (!bid.held) return false;
    }
    return isEarlier(bid, { since: this.#since, token: this.#token });
  }

  async #bid(own: OwnMessage): Promise<boolean> {
    this.#own = own;
    const won = Promise.withResolvers<boolean>();
    this.#awaited = { seq: this.#seq + 1, mayBeFirst: false, won };
    void this.#send();
    return await won.promise;
  }

  #receiveOwn({ rank, seq }: Bid): void {
    const before = this.#seen;
    this.#seen = Math.max(before, seq);
    if (seq >= this.#dueBack) this.#nothingDue();
    this.#seenRank = Math.max(this.#seenRank, rank);
    if (this.#awaited && seq >= this.#awaited.seq) {
      const stood = this.#stood;
      const isLower = stood?.token === this.#from && stood!.rank > rank;
      this.#isGranted ||= !isLower;
      this.#move("held");
      this.#hasHeld = true;
      if (seq >= this.#inDoubtUntil) this.#inDoubtUntil = 0;
      this.#awaited.won.resolve(true);
      this.#awaited = null;
    } else if (
      seq < before && (this.#state === "held" || this.#state === "resting")
    ) {
      // Somebody has put back an older one of ours.
      this.#assert();
    }
  }

  #lose(to: Sighting<T>): void {
    const awaited = this.#awaited;
    this.#awaited = null;
    this.#move("lost");
    this.#isLost = true;
    if (this.#hasHeld && !lineOf(to.bid).includes(this.#token)) {
      this.#options.onContested();
    }
    if (!awaited) this.#options.onLost(to);
    this.#giveWay().catch((error) => this.#options.onRefused(error)).finally(
      () => {
        this.#close();
        // Whoever is told removes the record, by which the task must be found as
        // long as the topic says that it is here.
        awaited?.won.resolve(false);
      },
    );
  }

  /** Sees to it that the topic ends with what ours was lost to. */
  async #giveWay(): Promise<void> {
    // All of ours came before it.
    if (this.#seen === this.#seq) return;
    await this.#sending;
    // A broker may acknowledge what it retains a moment later.
    await this.#comeBack?.promise;
    for (let i = 0; i < MAX_PUT_BACK; i++) {
      await this.#lookUp();
      // Something stands there: where it has not come, it is late.
      if (typeof this.#last === "object" && !this.#isOlder(this.#last)) return;
      const { topic, payload, properties } = this.#theirs!.message;
      await this.#options.publish({
        topic,
        payload,
        qos: 1,
        retain: true,
        properties,
        fleeting: true,
      }).catch((error) => {
        if (!(error instanceof ConnectionLostError)) throw error;
      });
    }
  }

  /** Whether the last of others on the topic is older than another of theirs. */
  #isOlder(last: Sighting<T>): boolean {
    return last !== this.#theirs && last.bid.seq < this.#theirs!.bid.seq;
  }

  /**
   * Says ours once more. What only waits looks first: what it has seen may be
   * old, and it would hide what runs by now from whoever looks.
   */
  #assert(): void {
    if (this.#own!.rank !== 0) void this.#send();
    else void this.#assertIfHidden();
  }

  async #assertIfHidden(): Promise<void> {
    if (this.#isChecking) return;
    this.#isChecking = true;
    const isSeen = await this.#isSeen({ present: true })
      .finally(() => this.#isChecking = false);
    if (!isSeen) return;
    const isOurs = this.#state === "taking" || this.#state === "held";
    if (isOurs && this.#last !== "ours") await this.#send();
  }

  #nothingDue(): void {
    this.#dueBack = 0;
    this.#comeBack?.resolve();
    this.#comeBack = null;
  }

  #sure(): void {
    clearTimeout(this.#retry);
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
    // An end of ours that stands there came before any bid for it.
    const isToBid = this.#state === "held" && this.isInDoubt &&
      this.#seenRank < this.#own!.rank;
    if (this.#standing && isToBid) {
      return await this.#bidToEnd(this.#standing);
    }
    const { message } = this.#own!;
    const seq = ++this.#seq;
    const held = this.#state === "held" ||
      (this.#state === "resting" && this.#hasHeld);
    const user = {
      ...message.properties?.user,
      ...bidderProperties({
        token: this.#token,
        from: this.#from,
        before: this.#before,
        seq,
        held,
      }),
    };
    const sent = this.#options.publish({
      ...message,
      fleeting: true,
      properties: { ...message.properties, user },
    });
    this.#sending = sent.catch(() => {});
    this.#dueBack = seq;
    this.#comeBack ??= Promise.withResolvers();
    try {
      await sent;
      this.#acknowledged = Math.max(this.#acknowledged, seq);
    } catch (error) {
      this.disconnected();
      if (!(error instanceof ConnectionLostError)) this.#refused(error);
      await this.#send();
      return;
    }
    this.#refusals.end();
  }

  /** Says the end as soon as it is certain that it is still ours. */
  async #bidToEnd(standing: OwnMessage): Promise<void> {
    const end = this.#own!;
    this.#standing = ending(standing);
    if (!await this.enter(this.#standing)) return;
    this.#own = end;
    await this.#send();
  }

  /** What the broker refuses is said again later, shorter if it was too long. */
  #refused(error: unknown): void {
    const own = this.#own!;
    const { payload, shorten } = own.message;
    const shorter = isTooLarge(error)
      ? shorten?.(payload.length / 2) ?? null
      : null;
    if (shorter !== null) {
      this.#own = { ...own, message: { ...own.message, payload: shorter } };
    }
    this.#tryLater(error, () => this.#sure());
  }

  /** What the broker refuses is said once, and tried again after a growing wait. */
  #tryLater(error: unknown, again: () => void): void {
    const { isFirst, waitMs } = this.#refusals.next();
    if (isFirst) this.#options.onRefused(error);
    clearTimeout(this.#retry);
    this.#retry = setTimeout(again, waitMs);
  }

  #move(to: State): void {
    if (!MOVES[this.#state].includes(to)) {
      throw new TypeError(`Cannot move the lock from ${this.#state} to ${to}`);
    }
    this.#state = to;
  }
}

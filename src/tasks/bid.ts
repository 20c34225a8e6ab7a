/**
 * What a message on the topic of a lock says of who bids (see `topic_lock.ts`),
 * as MQTT user properties: the `token` of the bidder (new each time that a worker
 * takes it), a `seq` that rises with each of its messages, `from`, the token of
 * the holder that it takes over from, `before`, those from whom that one had
 * taken over, and `held`, once a bid of that rank has come back to it. Two marks
 * raise what is said: `raised`, where somebody is about to end what has not run
 * there; and `ending`, where who has run it is about to say its end, and was cut
 * off before.
 *
 * @module
 */
import type {
  Incoming,
  MessageProperties,
  Outgoing,
} from "../messages/packets.ts";

/** Who bids, and with which of its messages. */
export interface Bidder {
  /** Names the bidder; null if nobody did. */
  readonly token: string | null;
  /** The token of the holder from whom this one takes over; null for nobody. */
  readonly from: string | null;
  /** Those from whom that one had taken over, the latest first. */
  readonly before?: readonly string[];
  /** Rises with each message under one token. */
  readonly seq: number;
  /** Whether a bid of this rank had come back to its bidder. */
  readonly held: boolean;
}

/** What the lock has to know of a message on its topic. */
export interface Bid extends Bidder {
  /** Of two bids the higher one has it. */
  readonly rank: number;
  /** Since when it has waited; ISO 8601. */
  readonly since: string;
}

/** What a message says of its bidder. */
export function bidderOf({ properties }: Incoming): Bidder {
  const { token = null, from = null, before, seq = "0", held } =
    properties.user ?? {};
  return {
    token,
    from,
    ...(before !== undefined && { before: before.split(" ") }),
    seq: Number(seq),
    held: held === "1",
  };
}

/** The user properties in which a message says it. */
export function bidderProperties(
  { token, from, before = [], seq, held }: Bidder & { token: string },
): Record<string, string> {
  return {
    token,
    seq: String(seq),
    ...(from !== null && { from }),
    ...(before.length > 0 && { before: before.join(" ") }),
    ...(held && { held: "1" }),
  };
}

/** So many are named: whoever comes back after more has been away for long. */
const MAX_BEFORE = 4;

/** All from whom a bidder has taken over, the latest first. */
export function lineOf(
  { from, before = [] }: Pick<Bidder, "from" | "before">,
): string[] {
  return from === null ? [] : [from, ...before].slice(0, MAX_BEFORE);
}

type Age = Pick<Bid, "since" | "token">;

/** Whether one has waited longer than another; else the lower token has it. */
export function isEarlier(one: Age, other: Age): boolean {
  if (one.since !== other.since) return one.since < other.since;
  return (one.token ?? "") < (other.token ?? "");
}

/** A message of our own, to which the lock adds the bidder. */
export interface OwnMessage {
  readonly message: Outgoing;
  readonly rank: number;
}

/** The same message, with a rank that what waits does not have. */
export function raised({ message, rank }: OwnMessage): OwnMessage {
  return withMark({ message, rank: Math.max(1, rank) }, { raised: "1" });
}

/** The same message, with the rank that comes after a given one. */
export function ending(
  { message, rank }: OwnMessage,
  after = rank,
): OwnMessage {
  return withMark({ message, rank: after + 1 }, { ending: String(after) });
}

function withMark(
  { message, rank }: OwnMessage,
  mark: Record<string, string>,
): OwnMessage {
  const { properties } = message;
  const user = { ...properties?.user, ...mark };
  return { rank, message: { ...message, properties: { ...properties, user } } };
}

interface Marked {
  readonly properties: MessageProperties;
}

/** Whether somebody is about to end it who has not run it. */
export function isBeingEnded({ properties }: Marked): boolean {
  return properties.user?.raised === "1";
}

/** The rank after which its holder was about to say its end; 0 for none. */
export function endingOf({ properties }: Marked): number {
  const after = Number(properties.user?.ending);
  return Number.isSafeInteger(after) && after > 0 ? after : 0;
}

/** The rank to which the marks of a message raise it; -1 without any. */
export function markedRank(message: Marked): number {
  const after = endingOf(message);
  if (after > 0) return after + 1;
  return isBeingEnded(message) ? 1 : -1;
}

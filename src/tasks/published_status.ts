/**
 * A status as it stands on its topic.
 *
 * @module
 */
import type { Incoming, MessageProperties } from "../messages/packets.ts";
import { readAs } from "../messages/presence.ts";
import {
  receivedStatusSchema,
  type TaskStatus,
} from "../messages/task_status.ts";
import { type Bid, type Bidder, bidderOf, markedRank } from "./bid.ts";
import { rankOf } from "./states.ts";

/**
 * A status, with what its message says of the task's holders. A worker that
 * refuses a task holds nothing.
 */
export interface PublishedStatus extends Omit<Bidder, "seq"> {
  readonly status: TaskStatus;
  readonly properties: MessageProperties;
}

/** Reads a message on a status topic, a bid for its task; null for no status. */
export function readBid(
  message: Incoming,
): { value: PublishedStatus; bid: Bid } | null {
  const status = readAs(receivedStatusSchema, message.payload);
  if (!status) return null;
  const bidder = bidderOf(message);
  const { seq: _, ...holders } = bidder;
  const value = { status, ...holders, properties: message.properties };
  return {
    value,
    bid: { ...bidder, rank: bidRank(value), since: status.created_at },
  };
}

/** Whether it was refused by a worker that did not have it. */
export function isMereRefusal(seen: PublishedStatus): boolean {
  return bidRank(seen) < 0;
}

function bidRank(seen: PublishedStatus): number {
  return Math.max(rankOf(seen.status, seen), markedRank(seen));
}

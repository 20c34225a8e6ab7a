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
import { rankOf } from "./states.ts";
import { bidderOf } from "./topic_lock.ts";

/** A status, with what its message says of the task's holders. */
export interface PublishedStatus {
  status: TaskStatus;
  /** Names the holder of the task; see `topic_lock.ts`. */
  token: string | null;
  /** The token of the holder from whom this one took it over. */
  from: string | null;
  /** Those from whom that one had taken it over, the latest first. */
  before?: readonly string[];
  /** Whether that was known to its holder; a worker that refuses holds nothing. */
  held: boolean;
  properties: MessageProperties;
}

/** Reads a message on a status topic; null for none, or no status. */
export function readStatus(message: Incoming | null): PublishedStatus | null {
  const status = message && readAs(receivedStatusSchema, message.payload);
  if (!status) return null;
  const { seq: _, ...holders } = bidderOf(message);
  return { status, ...holders, properties: message.properties };
}

/** Whether it was refused by a worker that did not have it. */
export function isMereRefusal({ held, status }: PublishedStatus): boolean {
  return rankOf(status, { held }) < 0;
}

/** Whether somebody is about to end it who has not run it. */
export function isBeingEnded({ properties }: PublishedStatus): boolean {
  return properties.user?.raised === "1";
}

/** How often its holder was about to say its end, and was cut off over it. */
export function endingOf({ properties }: PublishedStatus): number {
  const ending = Number(properties.user?.ending);
  return Number.isSafeInteger(ending) && ending > 0 ? ending : 0;
}

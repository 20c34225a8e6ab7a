/**
 * Whether a request is one that the group has already had.
 *
 * @module
 */
import { isMereRefusal, type PublishedStatus } from "./published_status.ts";
import { isFinal } from "./states.ts";

/** How a request came here. */
export interface Arrival {
  /** Whether the broker has delivered this message before. */
  redelivered: boolean;
  /**
   * Set on a task that a peer handed over, or that was found in a dead
   * worker's session: the token of its last holder, or "" if it had none.
   */
  from: string | null;
  /** Whether its holder, which is gone, has accepted it: there is a record. */
  isAccepted?: boolean;
  /** When the request was signed; null if it was not. */
  signedAt?: Date | null;
  /** Whether its id means the same for ever: one time of a schedule. */
  isScheduled?: boolean;
}

/** What to do with a request, by the status that stood on its topic. */
export type Judgement =
  /** Nobody has it: take it. */
  | "take"
  /** Sent again by a controller: report it. */
  | "duplicate"
  /** A copy of what was answered or moved on: forget it. */
  | "stale"
  /**
   * It was running at its holder, which does not run it any more, or may have
   * been: end it.
   */
  | "left behind";

/**
 * Judges a request by the retained status of its id.
 *
 * @param options.workerId whoever judges, or the worker that is gone; neither
 * has the task at this moment
 * @param options.windowSeconds how long after it was accepted a task that has
 * started, or was cancelled, counts as the same request
 */
export function judge(
  seen: PublishedStatus | null,
  arrival: Arrival,
  options: { workerId: string; windowSeconds: number; now?: Date },
): Judgement {
  if (!seen) return "take";
  const { status } = seen;
  const moved = arrival.from !== null;
  const again = moved || arrival.redelivered ? "stale" : "duplicate";
  if (status.state === "queued") {
    // Queued by the last holder, or by an earlier process of this worker: its
    // message has come back to us, and nobody else can start it.
    const ours = status.worker_id === options.workerId ||
      (moved && seen.token === arrival.from);
    return ours ? "take" : again;
  }
  if (!isFinal(status.state)) {
    return status.worker_id === options.workerId ? "left behind" : again;
  }
  // A copy was refused, and that hides what its holder has said.
  if (
    arrival.isAccepted && isMereRefusal(seen) &&
    status.worker_id !== options.workerId
  ) return "left behind";
  // A copy whose task has been answered must not be answered again.
  if (again === "stale") return "stale";
  // A cancel is meant for every copy of the request. One that was refused may
  // be sent again, when there is room or the playbook is there.
  // One signature is good for one task, and what has been accepted after it was
  // made may have been accepted because of it.
  if (arrival.signedAt && new Date(status.created_at) >= arrival.signedAt) {
    return "duplicate";
  }
  if (status.started_at === null && status.state !== "cancelled") return "take";
  if (arrival.isScheduled) return "duplicate";
  const now = options.now ?? new Date();
  return now < windowEnd(status, options) ? "duplicate" : "take";
}

/**
 * Until when an id counts as the same request. A controller that uses one again
 * each so many seconds counts from its own request, not from when that started.
 */
function windowEnd(
  { created_at }: { created_at: string },
  { windowSeconds }: { windowSeconds: number },
): Date {
  return new Date(new Date(created_at).getTime() + windowSeconds * 1000);
}

/** What is said of a duplicate, by the status that makes it one. */
export function duplicateOf(
  status: PublishedStatus["status"],
  options: { windowSeconds: number; now?: Date },
): string {
  const is =
    `this task is already ${status.state} (worker ${status.worker_id})`;
  if (!isFinal(status.state)) return is;
  const end = windowEnd(status, options);
  return end > (options.now ?? new Date())
    ? `${is}; until ${end.toISOString()} its id means the same task (worker.duplicate_window)`
    : `${is}, and was accepted after this request was signed; sign it anew to run it again`;
}

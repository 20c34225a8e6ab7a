/**
 * A worker that comes back: as a new process, or after the group has given up
 * on it.
 *
 * @module
 */
import { endOfLeftBehind } from "../group/left_behind.ts";
import type { Membership } from "../group/membership.ts";
import type { GroupObserver } from "../group/observer.ts";
import type { Topics } from "../messages/topics.ts";
import type { Claims } from "../tasks/claims.ts";
import type { Dispatcher } from "../tasks/dispatcher.ts";
import type { Channel, Delivery, Log } from "../tasks/ports.ts";
import type { TaskQueue } from "../tasks/queue.ts";
import type { RequestOpener } from "../tasks/request_opener.ts";
import type { Responses } from "../tasks/responses.ts";
import type { StatusBoard } from "../tasks/status_board.ts";

/**
 * Ends what an earlier process of this worker has left behind: the tasks that
 * it had claimed, but for those that wait again.
 */
export async function recover(
  delivered: readonly Delivery[],
  {
    claimed,
    workerId,
    topics,
    retentionSeconds,
    channel,
    opener,
    board,
    responses,
    log,
    observer,
  }: {
    /** The ids on the claim list of the earlier process. */
    claimed: readonly string[];
    workerId: string;
    topics: Topics;
    retentionSeconds: number;
    channel: Channel;
    opener: RequestOpener;
    board: StatusBoard;
    responses: Responses;
    log: Log;
    observer: GroupObserver;
  },
): Promise<void> {
  const again = new Set(
    await Promise.all(delivered.map(({ payload }) => opener.taskIdOf(payload))),
  );
  for (const id of claimed) {
    const { seen } = await board.look(id, { redelivered: true, from: null });
    const end = endOfLeftBehind(seen, {
      workerId,
      topic: topics.status(id),
      retentionSeconds,
      started: false,
      delivered: again.has(id),
    });
    board.forget(id);
    if (!end) continue;
    await channel.publish(end);
    responses.follow(end, id);
    observer.leftBehind();
    log.warn("a task that was running when the worker stopped failed", {
      task_id: id,
    });
  }
}

/**
 * The group has given up on this worker while it was away: what waits here may
 * have moved, and what runs here may have been ended. Takes everything again
 * that nobody else has, under a new name.
 */
export async function reclaim(
  { membership, board, claims, dispatcher, queue }: {
    membership: Membership;
    board: StatusBoard;
    claims: Claims;
    dispatcher: Dispatcher;
    queue: TaskQueue;
  },
): Promise<void> {
  const instance = membership.renew();
  board.renew(instance);
  claims.renew(instance);
  for (const active of dispatcher.active) {
    if (!active.running) await board.retake(active.task);
    else if (await board.endedElsewhere(active.task.id)) {
      dispatcher.lost(active.task.id);
    }
  }
  for (const task of [...queue.tasks()]) {
    if (!await board.retake(task)) dispatcher.drop(task);
  }
  await claims.publish();
}

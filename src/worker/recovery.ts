/**
 * A worker that comes back: as a new process, with a new connection, or after
 * the group has given up on it.
 *
 * @module
 */
import { endOfLeftBehind } from "../group/left_behind.ts";
import type { Membership } from "../group/membership.ts";
import type { GroupObserver } from "../group/observer.ts";
import type { Delivery } from "../messages/packets.ts";
import type { Topics } from "../messages/topics.ts";
import type { ClaimList } from "../tasks/claim_list.ts";
import type { Dispatcher } from "../tasks/dispatcher.ts";
import type { Channel, Log } from "../tasks/ports.ts";
import type { TaskQueue } from "../tasks/queue.ts";
import type { RequestOpener } from "../tasks/request_opener.ts";
import type { Responses } from "../tasks/responses.ts";
import type { StatusBoard } from "../tasks/status_board.ts";

/** What coming back needs. */
export interface RecoveryOptions {
  workerId: string;
  topics: Topics;
  /** Seconds that the broker keeps a final status; 0: for ever. */
  retentionSeconds: number;
  channel: Channel;
  membership: Membership;
  board: StatusBoard;
  claims: ClaimList;
  dispatcher: Dispatcher;
  queue: TaskQueue;
  opener: RequestOpener;
  responses: Responses;
  log: Log;
  observer: GroupObserver;
}

/** Puts in order what may have changed while this worker was away. */
export class Recovery {
  readonly #options: RecoveryOptions;
  #reclaiming: Promise<void> | null = null;

  /** Does nothing by itself. */
  constructor(options: RecoveryOptions) {
    this.#options = options;
  }

  /**
   * As a new process: ends the tasks that an earlier one of this worker had
   * claimed, but for those that wait again.
   */
  async recover(
    { claimed, delivered }: {
      claimed: readonly string[];
      delivered: readonly Delivery[];
    },
  ): Promise<void> {
    const { board, channel, claims, log, observer, opener, responses } =
      this.#options;
    const { retentionSeconds, topics, workerId } = this.#options;
    const again = new Set(
      await Promise.all(
        delivered.map(({ payload }) => opener.taskIdOf(payload)),
      ),
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
    await claims.publish();
  }

  /** With a new control connection. */
  async reconnected(session: { present: boolean }): Promise<void> {
    const { board, claims, membership } = this.#options;
    if (!membership.isAdopted) {
      await board.reconnected(session);
      if (!session.present) await claims.publish();
    }
    // It may have been said meanwhile.
    await this.reclaim();
  }

  /**
   * After the group has given up on this worker, if it has: what waits here may
   * have moved, and what runs here may have been ended. Takes everything again
   * that nobody else has, under a new name.
   */
  reclaim(): Promise<void> {
    this.#reclaiming ??= this.#reclaim().finally(() => this.#reclaiming = null);
    return this.#reclaiming;
  }

  async #reclaim(): Promise<void> {
    const { board, claims, dispatcher, log, membership, queue } = this.#options;
    while (membership.isAdopted) {
      log.warn("the group has adopted this worker's session meanwhile");
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
  }
}

/**
 * Offering a task to a peer.
 *
 * A task that is handed over stays this worker's, by its record, until the peer
 * has taken it, which shows on its status topic:
 *
 * | killed after | what becomes of the task |
 * | --- | --- |
 * | it was offered | the peer takes it, or this worker's next process does, whichever is first; to the other it is stale |
 * | the peer took it | this worker's record is removed by its next process, or by who adopts it |
 *
 * A peer that does not take it in time has lost it: it is taken back under a
 * new token, by which the peer sees, if it comes to it at last, that it is late.
 *
 * @module
 */
import { fulfilledWithin } from "../deadline.ts";
import type { Topics } from "../messages/topics.ts";
import { movedProperties } from "../tasks/origin.ts";
import type { Channel, Log } from "../tasks/ports.ts";
import type { StatusBoard } from "../tasks/status_board.ts";
import type { Task } from "../tasks/task.ts";
import type { GroupObserver } from "./observer.ts";
import type { Peers } from "./peers.ts";

/** How long a peer has to take a task that it was offered, in milliseconds. */
const OFFER_MS = 15_000;

/** Where a killing test may stop the process. */
export type HandOverStep = "offered" | "taken";

/** What offering needs. */
export interface OfferingOptions {
  workerId: string;
  topics: Topics;
  channel: Channel;
  peers: Peers;
  board: StatusBoard;
  log: Log;
  observer?: GroupObserver;
  /** Called after each step. */
  onStep?(step: HandOverStep): void;
}

/** Offers tasks to peers. */
export class Offering {
  readonly #options: OfferingOptions;

  constructor(options: OfferingOptions) {
    this.#options = options;
  }

  /**
   * Offers a task that this worker holds to a peer.
   *
   * @returns true when the task is no longer this worker's
   */
  async offer(task: Task, peer: string): Promise<boolean> {
    const { peers } = this.#options;
    peers.offered(peer, task.id);
    try {
      return await this.#offer(task, peer);
    } finally {
      peers.settled(task.id);
    }
  }

  async #offer(task: Task, peer: string): Promise<boolean> {
    const { board, channel, log, peers, topics, workerId } = this.#options;
    const token = board.token(task.id);
    if (token === null) return true;
    const given = new AbortController();
    const unwatch = peers.whenOffline(peer, () => given.abort());
    const gone = board.gone(task.id, given.signal);
    void fulfilledWithin(OFFER_MS, gone).then(() => given.abort());
    channel.publish({
      topic: topics.inbox(peer),
      payload: task.message.payload,
      qos: 2,
      properties: movedProperties(task.message.properties, {
        from: token,
        createdAt: task.createdAt,
        hops: task.hops + 1,
        to: task.to,
        expiresAt: task.messageExpiresAt,
      }),
    }).then(() => this.#options.onStep?.("offered"), (error) => {
      log.warn(`cannot hand a task over to ${peer}`, {
        task_id: task.id,
        error,
      });
      given.abort();
    });
    const holder = await gone.finally(unwatch);
    const taken = holder !== null && holder !== workerId;
    if (taken) {
      peers.taken(peer);
      this.#options.observer?.handedOver();
      this.#options.onStep?.("taken");
      log.info("the task was handed over", { task_id: task.id, to: holder });
      return true;
    }
    log.warn(`${peer} did not take a task that it was offered`, {
      task_id: task.id,
    });
    return !await board.retake(task);
  }
}

/**
 * Idle first: a worker with a backlog hands its oldest task to a peer that
 * would start it at once.
 *
 * A task that is handed over stays the broker's and this worker's until the
 * peer has taken it, which shows on its status topic:
 *
 * | killed after | what becomes of the task |
 * | --- | --- |
 * | it was offered | the peer takes it, or this worker's next process does, whichever is first; to the other it is stale |
 * | the peer took it | this worker's copy is delivered again, and is stale |
 *
 * A peer that does not take it in time has lost it: it is taken back under a
 * new token, by which the peer sees, if it comes to it at last, that it is late.
 *
 * @module
 */
import { fulfilledWithin } from "../deadline.ts";
import type { Topics } from "../messages/topics.ts";
import type { Cancelling } from "../tasks/cancelling.ts";
import type { Dispatcher } from "../tasks/dispatcher.ts";
import { movedProperties } from "../tasks/origin.ts";
import type { Channel, Log } from "../tasks/ports.ts";
import type { TaskQueue } from "../tasks/queue.ts";
import type { StatusBoard } from "../tasks/status_board.ts";
import type { Task } from "../tasks/task.ts";
import type { GroupObserver } from "./observer.ts";
import type { Peers } from "./peers.ts";

/** How long a peer has to take a task that it was offered, in milliseconds. */
const OFFER_MS = 15_000;

/**
 * How long a task that was handed over stays before it is handed on. Two workers
 * may give their tasks to one peer at the same moment; the second one then often
 * starts sooner where it is than it would after another move.
 */
const SETTLE_MS = 300;

/** How long the loads are watched after the backlog is gone. */
const WATCH_MS = 10_000;

/** How long a task that does not fit waits to hear of room, in milliseconds. */
const DECISION_MS = 1000;

/** How often a task that does not fit is passed on before it is refused. */
const MOST_HOPS = 3;

/** Where a killing test may stop the process. */
export type HandOverStep = "offered" | "taken";

/** What handing over needs. */
export interface HandOverOptions {
  /** This worker. */
  workerId: string;
  /** The topics of the group. */
  topics: Topics;
  /** The control connection. */
  channel: Channel;
  /** The other workers of the group. */
  peers: Peers;
  /** The tasks that wait here. */
  queue: TaskQueue;
  /** The queue and the slots. */
  dispatcher: Dispatcher;
  /** The statuses of this worker's tasks. */
  board: StatusBoard;
  /** Has cancels that came while their tasks were on their way. */
  cancelling: Pick<Cancelling, "applyRemembered">;
  /** Where to write what happens. */
  log: Log;
  /** Is told of tasks that peers have taken. */
  observer?: GroupObserver;
  /** Whether both connections are there. */
  connected(): boolean;
  /** Called after each step. */
  onStep?(step: HandOverStep): void;
}

/** Gives tasks to peers. */
export class HandOver {
  readonly #options: HandOverOptions;
  #watching = false;
  /** Settles when the loads that stood there have come. */
  #watched: Promise<void> = Promise.resolve();
  #settled: ReturnType<typeof setTimeout> | undefined;
  #stopWatching: ReturnType<typeof setTimeout> | undefined;
  /** Shutting down: every waiting task is to go, to whoever has room. */
  #all = false;
  #underWay = 0;
  #changed: PromiseWithResolvers<void> | null = null;

  /** Hands nothing over before `update()`. */
  constructor(options: HandOverOptions) {
    this.#options = options;
  }

  /** Looks whether there is something to hand over; call it on every change. */
  update(): void {
    const { connected, dispatcher, peers, queue, log, topics } = this.#options;
    const backlog = queue.waiting > 0 &&
      (this.#all || dispatcher.emptySlots === 0);
    this.#watch(backlog);
    if (!backlog || !connected()) return;
    for (;;) {
      const task = this.#next();
      const peer = this.#all ? peers.withRoom() : peers.idle();
      if (!task || !peer) return;
      queue.leave(task);
      log.debug("the task is handed over", {
        task_id: task.id,
        to: peer,
        topic: topics.inbox(peer),
      });
      this.#underWay++;
      this.#handOver(task, peer).catch((error) => {
        log.error("cannot hand the task over", { task_id: task.id, error });
        dispatcher.stay(task);
      }).finally(() => {
        this.#underWay--;
        this.wake();
      });
    }
  }

  /** After a reconnect that found no session: the subscription is gone. */
  async reconnected(session: { present: boolean }): Promise<void> {
    if (this.#watching && !session.present) {
      await this.#options.channel.lookUp(this.#options.topics.allLoads);
    }
  }

  /**
   * Who has room for a task that does not fit here at this moment.
   *
   * @param reserve keeps a place for it here, if there is one by then
   * @returns a peer; this worker, if a place is kept; null if there is nobody
   */
  async workerWithRoom(
    task: Task,
    reserve: () => boolean,
  ): Promise<string | null> {
    const { peers, workerId } = this.#options;
    this.#watch(true);
    await this.#watched;
    const until = Date.now() + DECISION_MS;
    for (;;) {
      if (reserve()) return workerId;
      const peer = task.hops < MOST_HOPS ? peers.withRoom() : null;
      const left = until - Date.now();
      const undecided = peers.online().length > 0 &&
        (peers.undecided || this.#underWay > 0 || task.hops > 0);
      if (peer || !undecided || left <= 0) return peer;
      // A refusal is for ever, what we know may be a moment old, and what is on
      // its way to a peer has a place here and there. Who has sent us this one
      // believed that there was room.
      await fulfilledWithin(
        left,
        Promise.race([peers.nextLoad(), this.#change()]),
      );
    }
  }

  /**
   * Offers a task that this worker holds to a peer.
   *
   * @returns true when the task is no longer this worker's
   */
  async offer(task: Task, peer: string): Promise<boolean> {
    const { board, channel, log, peers, topics, workerId } = this.#options;
    const token = board.token(task.id);
    if (token === null) return true;
    peers.offered(peer);
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
    peers.answered(peer, { taken });
    if (taken) {
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

  /**
   * Hands over everything that waits, to whoever has room; returns when nothing
   * waits any more, or there is nobody to take it.
   *
   * @param signal ends the attempt
   */
  async everything(signal: AbortSignal): Promise<void> {
    const { peers, queue } = this.#options;
    this.#all = true;
    const wake = () => this.wake();
    signal.addEventListener("abort", wake, { once: true });
    while (
      !signal.aborted && queue.size > 0 &&
      (peers.online().length > 0 || this.#underWay > 0)
    ) {
      const changed = this.#change();
      this.update();
      await changed;
    }
    signal.removeEventListener("abort", wake);
    this.#all = false;
  }

  /** Something has changed that somebody here may be waiting for. */
  wake(): void {
    this.#changed?.resolve();
    this.#changed = null;
  }

  /** Stops watching. */
  stop(): void {
    clearTimeout(this.#stopWatching);
    clearTimeout(this.#settled);
  }

  /** Settles at the next `wake()`. */
  #change(): Promise<void> {
    this.#changed ??= Promise.withResolvers<void>();
    return this.#changed.promise;
  }

  /** The oldest task that may be handed over now. */
  #next(): Task | undefined {
    let wait = Infinity;
    for (const task of this.#options.queue.tasks()) {
      const left = this.#all || task.hops === 0
        ? 0
        : task.arrivedAt + SETTLE_MS - Date.now();
      if (left <= 0) return task;
      wait = Math.min(wait, left);
    }
    if (wait < Infinity) {
      this.#settled ??= setTimeout(() => {
        this.#settled = undefined;
        this.update();
      }, wait);
    }
  }

  async #handOver(task: Task, peer: string): Promise<void> {
    const { cancelling, dispatcher } = this.#options;
    if (await this.offer(task, peer)) {
      dispatcher.drop(task);
      return;
    }
    dispatcher.stay(task);
    cancelling.applyRemembered(task.id);
  }

  #watch(needed: boolean): void {
    const { channel, log, peers, topics } = this.#options;
    if (needed) {
      clearTimeout(this.#stopWatching);
      this.#stopWatching = undefined;
      if (this.#watching) return;
      this.#watching = true;
      this.#watched = channel.lookUp(topics.allLoads).catch((error) => {
        this.#watching = false;
        log.debug("cannot watch the loads of the group", { error });
      });
    } else if (this.#watching && this.#stopWatching === undefined) {
      this.#stopWatching = setTimeout(() => {
        this.#stopWatching = undefined;
        this.#watching = false;
        peers.forgetLoads();
        channel.unsubscribe(topics.allLoads).catch(() => {});
      }, WATCH_MS);
    }
  }
}

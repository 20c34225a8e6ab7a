/**
 * Idle first: a worker with a backlog hands its oldest task to a peer that
 * would start it at once. Here it is chosen what goes, when, and to whom; how a
 * task is offered says `offering.ts`.
 *
 * @module
 */
import { fulfilledWithin } from "../deadline.ts";
import type { Topics } from "../messages/topics.ts";
import type { Cancelling } from "../tasks/cancelling.ts";
import type { Dispatcher } from "../tasks/dispatcher.ts";
import type { Log } from "../tasks/ports.ts";
import type { TaskQueue } from "../tasks/queue.ts";
import type { Task } from "../tasks/task.ts";
import type { TaskLocks } from "../tasks/task_locks.ts";
import type { IdleSearch } from "./idle_search.ts";
import type { LoadWatch } from "./load_watch.ts";
import type { Offering } from "./offering.ts";
import type { Peers } from "./peers.ts";

/** How long a task that does not fit waits to hear of room, in milliseconds. */
const DECISION_MS = 3000;

/** How often a task that does not fit is passed on before it is refused. */
const MAX_HOPS = 3;

/** What handing over needs. */
export interface HandOverOptions {
  workerId: string;
  topics: Topics;
  peers: Peers;
  /** For tasks that need room. */
  loads: LoadWatch;
  /** For tasks that wait. */
  search: Pick<IdleSearch, "begin" | "end">;
  offering: Pick<Offering, "offer">;
  queue: TaskQueue;
  dispatcher: Dispatcher;
  /** Knows which tasks would have to wait elsewhere, too. */
  locks: Pick<TaskLocks, "blocks">;
  /** Has cancels that came while their tasks were on their way. */
  cancelling: Pick<Cancelling, "applyRemembered">;
  log: Log;
  /** Whether both connections are there. */
  connected(): boolean;
}

/** Gives tasks to peers. */
export class HandOver {
  readonly #options: HandOverOptions;
  /** Every waiting task is to go, to whoever has room. */
  #draining = false;
  #underWay = 0;
  #changed: PromiseWithResolvers<void> | null = null;

  constructor(options: HandOverOptions) {
    this.#options = options;
  }

  /** Looks whether there is something to hand over; call it on every change. */
  update(): void {
    const { connected, dispatcher, loads, log, queue, search, topics } =
      this.#options;
    if (this.#draining && queue.waiting > 0) void loads.begin();
    else loads.release();
    for (;;) {
      const next =
        connected() && (this.#draining || dispatcher.emptySlots === 0)
          ? this.#next()
          : undefined;
      if (!next || this.#draining && next.peer === null) return search.end();
      const { task, peer } = next;
      if (peer === null) return search.begin(task);
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

  /**
   * Who has room for a task that does not fit here at this moment.
   *
   * @param reserve keeps a place for it here, if there is one by then
   * @returns a peer, where it has a place until it is offered, or `settled`;
   * this worker, if a place is kept; null if there is nobody
   */
  async workerWithRoom(
    task: Task,
    reserve: () => boolean,
  ): Promise<string | null> {
    const { loads, peers, workerId } = this.#options;
    if (task.isBound) return reserve() ? workerId : null;
    await loads.begin();
    const until = performance.now() + DECISION_MS;
    for (;;) {
      if (reserve()) return workerId;
      const isLate = performance.now() >= until;
      // At last it is rather offered in vain than refused without need.
      const peer = task.hops < MAX_HOPS
        ? peers.withRoom(task, { hopeful: isLate })
        : null;
      if (peer) return this.#chosen(peer, task);
      // A refusal is for ever, and what we know may be a moment old. What is on
      // its way to a peer has a place here and there. Who has sent us this one
      // believed that there was room.
      const mayChange = !isLate && peers.online().length > 0 &&
        (peers.undecided || this.#underWay > 0 || task.hops > 0);
      if (!mayChange) return null;
      await fulfilledWithin(
        until - performance.now(),
        Promise.race([peers.news(), this.#change()]),
      );
    }
  }

  /**
   * A peer that has the template of a task, which this worker has not; rather
   * one with room, since another one has to hand it on or refuse it.
   */
  async workerWithTemplate(task: Task): Promise<string | null> {
    const { loads, peers } = this.#options;
    if (
      task.isBound || task.hops >= MAX_HOPS || peers.ableTo(task).length === 0
    ) return null;
    await loads.begin();
    const peer = peers.withRoom(task) ?? peers.ableTo(task)[0];
    return peer ? this.#chosen(peer, task) : null;
  }

  /** What is chosen now is offered later; others are chosen for meanwhile. */
  #chosen(peer: string, task: Task): string {
    this.#options.peers.offered(peer, task.id);
    return peer;
  }

  /**
   * Hands over everything that waits, to whoever has room; returns when nothing
   * waits any more, or there is nobody to take it.
   *
   * @param signal ends the attempt
   */
  async drain(signal: AbortSignal): Promise<void> {
    const { peers } = this.#options;
    this.#draining = true;
    const wake = () => this.wake();
    signal.addEventListener("abort", wake, { once: true });
    while (
      !signal.aborted && this.#isLeft() &&
      (peers.online().length > 0 || this.#underWay > 0)
    ) {
      const changed = this.#change();
      this.update();
      await changed;
    }
    signal.removeEventListener("abort", wake);
    this.#draining = false;
  }

  /** Whether something waits here that may go, or is on its way. */
  #isLeft(): boolean {
    const { queue } = this.#options;
    return queue.size > queue.waiting ||
      [...queue.tasks()].some((task) => !task.isBound);
  }

  /** Something has changed that somebody here may be waiting for. */
  wake(): void {
    this.#changed?.resolve();
    this.#changed = null;
  }

  /** Settles at the next `wake()`. */
  #change(): Promise<void> {
    this.#changed ??= Promise.withResolvers<void>();
    return this.#changed.promise;
  }

  /**
   * The oldest task that somebody would take, and who; if there is none, the
   * oldest that a peer could run.
   */
  #next(): { task: Task; peer: string | null } | undefined {
    const { locks, peers, queue } = this.#options;
    let first: Task | undefined;
    /** Templates that nobody who has room has. */
    const without = new Set<string | undefined>();
    for (const task of queue.tasks()) {
      if (task.isBound || (!this.#draining && locks.blocks(task))) continue;
      const { template } = task.request;
      if (without.has(template)) continue;
      const peer = this.#draining ? peers.withRoom(task) : peers.idle(task);
      if (peer) return { task, peer };
      if (peers.ableTo(task).length > 0) first ??= task;
      // Where nobody has room for what anybody could run, nobody has any.
      if (template === undefined) break;
      without.add(template);
    }
    return first && { task: first, peer: null };
  }

  async #handOver(task: Task, peer: string): Promise<void> {
    const { cancelling, dispatcher, offering } = this.#options;
    if (await offering.offer(task, peer)) {
      dispatcher.drop(task);
      return;
    }
    dispatcher.stay(task);
    cancelling.applyRemembered(task.id);
  }
}

/**
 * Who starts when: the queue, the slots, and what ends tasks before their time.
 *
 * A task here is **waiting** in the queue, **leaving** it for a peer (see
 * `../group/hand_over.ts`) or because it is to be ended, or **active** in a slot.
 *
 * @module
 */
import { pause } from "../deadline.ts";
import type { Log } from "./ports.ts";
import type { TaskQueue } from "./queue.ts";
import type { Records } from "./records.ts";
import { ActiveTask, type StartOptions } from "./start.ts";
import type { StatusBoard } from "./status_board.ts";
import type { Ending, Task } from "./task.ts";
import type { TaskLocks } from "./task_locks.ts";

/** How long a task waits that could not be started, in milliseconds. */
const RETRY_MS = 5000;

/** What is said of a task that waited here, and is somebody else's. */
const TAKEN_OVER = "another worker has taken the task over";

/** What the dispatcher needs. */
export interface DispatcherOptions {
  slots: number;
  queue: TaskQueue;
  board: StatusBoard;
  records: Records;
  start: StartOptions;
  /** Has the locks of tasks that have one. */
  locks: Pick<TaskLocks, "admits" | "blocked">;
  log: Log;
  /** Whether tasks may be started now. */
  mayStart(): boolean;
  /**
   * Settles when what the others have, or have had, is known by the broker, or
   * that cannot be waited for.
   */
  untilCertain(): Promise<void>;
  /** The queue or the slots have changed. */
  onChange(): void;
  /** A task starts, or ends without a start: its request is used up. */
  onUsed(task: Task): void;
}

/** The queue and the slots. */
export class Dispatcher {
  readonly #options: DispatcherOptions;
  readonly #active = new Map<string, ActiveTask>();
  /** Tasks in slots, and others that have ended, until nothing of them is here. */
  readonly #clearing = new Map<string, Promise<void>>();
  readonly #expiries = new Map<string, ReturnType<typeof setTimeout>>();

  constructor(options: DispatcherOptions) {
    this.#options = options;
  }

  /** Slots that no task is in. */
  get emptySlots(): number {
    return this.#options.slots - this.#active.size;
  }

  /** Slots that no task is in and none waits for. */
  get freeSlots(): number {
    const { locks, queue } = this.#options;
    return Math.max(0, this.emptySlots - (queue.size - locks.blocked));
  }

  /** Whether a task is in a slot. */
  isActive(task: Task): boolean {
    return this.#active.get(task.id)?.task === task;
  }

  get active(): IterableIterator<ActiveTask> {
    return this.#active.values();
  }

  /** The task of this id, if it is here. */
  find(taskId: string): Task | undefined {
    return this.#options.queue.get(taskId) ?? this.#active.get(taskId)?.task;
  }

  /** Settles when a task that has ended has nothing left to do here. */
  async cleared(taskId: string): Promise<void> {
    await this.#clearing.get(taskId);
  }

  /** Takes an accepted task, for which a place in the queue is reserved. */
  put(task: Task): void {
    this.#options.queue.put(task);
    this.#enterQueue(task);
  }

  /** Takes a task that the group has accepted before, whether it fits or not. */
  putBack(task: Task): void {
    this.#options.queue.putBack(task);
    this.#enterQueue(task);
  }

  /** Starts what can be started. */
  startNext(): void {
    const { locks, queue, mayStart, start, log } = this.#options;
    while (this.emptySlots > 0 && mayStart()) {
      const task = queue.oldest((one) => locks.admits(one));
      if (!task) break;
      // Its timer may be late, or the task too.
      if (this.#expire(task)) continue;
      this.#leaveQueue(task);
      this.#options.onUsed(task);
      const active = new ActiveTask(task, start);
      this.#active.set(task.id, active);
      let isToRetry = false;
      const cleared = active.finished.catch(async (error) => {
        log.error("cannot start the task; it will be tried again", {
          task_id: task.id,
          error,
        });
        await pause(RETRY_MS);
        isToRetry = true;
      }).finally(() => {
        this.#active.delete(task.id);
        this.#clearing.delete(task.id);
        if (isToRetry) this.putBack(task);
        else {
          this.startNext();
          this.#options.onChange();
        }
      });
      this.#clearing.set(task.id, cleared);
    }
  }

  /** There is more room than before, or less. */
  changed(): void {
    this.#options.onChange();
  }

  /** Settles when no task is in a slot, and nothing is left of those that end. */
  async idle(): Promise<void> {
    while (this.#clearing.size > 0) {
      await Promise.allSettled(this.#clearing.values());
    }
  }

  /**
   * Ends a task before its time.
   *
   * @returns false if it is not here, or on its way to a peer
   */
  cancel(taskId: string, reason: string): boolean {
    const active = this.#active.get(taskId);
    if (active) {
      active.end({ state: "cancelled", error: reason });
      return true;
    }
    const { queue } = this.#options;
    const task = queue.get(taskId);
    if (!task || queue.isLeaving(task)) return false;
    void this.#endWaiting(task, { state: "cancelled", error: reason });
    return true;
  }

  /** Gives a waiting task its final status. */
  async #endWaiting(task: Task, ending: Ending): Promise<void> {
    const { board, log, queue, untilCertain } = this.#options;
    queue.leave(task);
    this.#options.onChange();
    // Where the broker has forgotten, somebody else may have run it.
    await untilCertain();
    if (board.token(task.id) === null) {
      log.info(TAKEN_OVER, { task_id: task.id });
      this.drop(task);
      return;
    }
    const cleared = this.#end(task, ending).finally(() =>
      this.#clearing.delete(task.id)
    );
    this.#clearing.set(task.id, cleared);
    await cleared;
  }

  async #end(task: Task, ending: Ending): Promise<void> {
    const { board, log, records } = this.#options;
    this.#leaveQueue(task);
    this.#options.onUsed(task);
    this.#options.onChange();
    task.end(ending);
    log.info(`the task ended: ${task.state}`, {
      task_id: task.id,
      error_message: ending.error,
    });
    // The status first: without its record nobody would answer for the task.
    await board.end(task);
    records.remove(task.id);
  }

  /** A peer has the task now. */
  drop(task: Task): void {
    this.#leaveQueue(task);
    this.#options.onChange();
    this.#options.board.forget(task.id);
    this.#options.records.remove(task.id);
  }

  /** Ends a run at once: what it needs may be somebody else's. */
  endRun(task: Task, why: string): void {
    if (!this.isActive(task)) return;
    this.#active.get(task.id)!.end({ state: "failed", error: why }, {
      immediately: true,
    });
  }

  /** The peer to which a task was offered did not take it: it waits again. */
  stay(task: Task): void {
    this.#options.queue.stay(task);
    this.#expire(task);
    this.startNext();
    this.#options.onChange();
  }

  /** Somebody else has taken over a task that is here, or has ended it. */
  lost(taskId: string): void {
    const { queue, log } = this.#options;
    const active = this.#active.get(taskId);
    const task = queue.get(taskId);
    if (active) {
      log.warn("the group has given up this task; its run is ended", {
        task_id: taskId,
      });
      active.abandon();
    } else if (task && !queue.isLeaving(task)) {
      log.info(TAKEN_OVER, { task_id: taskId });
      this.drop(task);
    }
  }

  #enterQueue(task: Task): void {
    const left = task.expiresIn();
    if (left !== null) {
      this.#expiries.set(
        task.id,
        setTimeout(
          () => this.#expire(task),
          Math.min(Math.max(0, Math.ceil(left)), 2 ** 31 - 1),
        ),
      );
    }
    this.startNext();
    this.#options.onChange();
  }

  #leaveQueue(task: Task): void {
    this.#options.queue.remove(task);
    clearTimeout(this.#expiries.get(task.id));
    this.#expiries.delete(task.id);
  }

  /** Ends a task whose time is over; returns whether it is. */
  #expire(task: Task): boolean {
    const { queue } = this.#options;
    if (queue.get(task.id) !== task || queue.isLeaving(task)) return false;
    if ((task.expiresIn() ?? Infinity) > 0) return false;
    void this.#endWaiting(task, {
      state: "cancelled",
      error: `the ${task.expires} expired before the task could start`,
    });
    return true;
  }
}

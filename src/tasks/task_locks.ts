/**
 * The locks of the tasks of this worker: a task that has one starts when it has
 * it, and one that has none does not know of them.
 *
 * A lock is bid for when a slot is empty, for the oldest task here that waits
 * for it, and given back when that does not start, or when nothing of it is left
 * in its slot. What one lock is, says `lock_watch.ts`.
 *
 * @module
 */
import type { Lock } from "../messages/lock.ts";
import type { Incoming } from "../messages/packets.ts";
import type { Topics } from "../messages/topics.ts";
import { LockWatch } from "./lock_watch.ts";
import { lookUp } from "./look_up.ts";
import type { Channel, Log } from "./ports.ts";
import type { Task } from "./task.ts";

/** More locks are not watched without need. */
const MAX_WATCHED = 200;

/** What the locks need. */
export interface TaskLocksOptions {
  channel: Channel;
  /** Settles when the channel is connected. */
  connected(): Promise<void>;
  topics: Topics;
  workerId: string;
  /** This worker's process, by its name in the group. */
  instance(): string;
  /** Whether the process of another worker that has a lock is no more. */
  isGone(claim: Lock): boolean;
  /** How long this worker may be unheard, in milliseconds. */
  leaseMs: number;
  log: Log;
  /** The tasks with locks that wait here for a slot, oldest first. */
  waiting(): Iterable<Task>;
  /** Whether a task is in a slot. */
  isActive(task: Task): boolean;
  /** In how many slots a task could start now. */
  startable(): number;
  /** Starts what can be started. */
  startNext(): void;
  /** Publishes what is new of a task that waits. */
  publish(task: Task): void;
  /** What runs with a lock that may be another task's by now has to end. */
  onLost(task: Task, why: string): void;
}

/** The locks of this worker's tasks. */
export class TaskLocks implements Disposable {
  readonly #options: TaskLocksOptions;
  readonly #watches = new Map<string, LockWatch>();
  #takes = 0;

  /** None is watched before a task needs it. */
  constructor(options: TaskLocksOptions) {
    this.#options = options;
  }

  /** Whether a task may start; if it lacks its lock, that is bid for. */
  admits(task: Task): boolean {
    const { lock } = task;
    if (lock === null) return true;
    const watch = this.#watches.get(lock);
    if (watch?.holder === task) return true;
    if (!watch) this.#watches.set(lock, this.#newWatch(lock));
    return false;
  }

  /** Whether a task waits for a lock that another one has. */
  blocks(task: Task): boolean {
    if (task.lock === null) return false;
    return this.#watches.get(task.lock)?.blocks(task) ?? false;
  }

  /** How many tasks here wait for locks that others have. */
  get blocked(): number {
    let blocked = 0;
    if (this.#watches.size === 0) return blocked;
    for (const task of this.#options.waiting()) {
      if (this.blocks(task)) blocked++;
    }
    return blocked;
  }

  /** What waits or runs here has changed, or who is there, or has a lock. */
  update(): void {
    if (this.#watches.size === 0) return;
    const { isActive, publish, startable, waiting } = this.#options;
    const tasks = [...waiting()];
    let claims = 0;
    for (const { holder, watch } of this.#holders()) {
      if (isActive(holder)) continue;
      // It has started as soon as it had the lock, or it does not at all.
      if (startable() === 0 || !tasks.includes(holder)) watch.release();
    }
    for (const watch of this.#watches.values()) {
      const isStarted = watch.holder !== null && isActive(watch.holder);
      if (watch.isClaimed && !isStarted) claims++;
    }
    for (const task of tasks) {
      const watch = this.#watches.get(task.lock!);
      // As many are bid for as could start.
      if (watch?.isFree && claims < startable()) {
        claims++;
        void watch.take(task);
      } else if (watch?.blocks(task) && task.waitFor(`lock ${task.lock}`)) {
        publish(task);
      }
    }
    for (const [lock, watch] of this.#watches) {
      const isCrowded = this.#watches.size > MAX_WATCHED && watch.isIdle;
      if (!watch.isOld && !isCrowded) continue;
      if (tasks.some((task) => task.lock === lock)) continue;
      watch.close();
      this.#watches.delete(lock);
    }
  }

  /** A message on the topic of a lock. */
  receive(lock: string, message: Incoming): void {
    this.#watches.get(lock)?.receive(message);
  }

  /** The connection is lost. */
  disconnected(): void {
    for (const watch of this.#watches.values()) watch.disconnected();
  }

  /** With a new connection: looks again, and says again what is ours. */
  async reconnected(session: { present: boolean }): Promise<void> {
    await Promise.all(
      [...this.#watches.values()].map((watch) => watch.reconnected(session)),
    );
  }

  /** The group has taken this worker for dead: what runs with a lock ends. */
  forfeit(): void {
    for (const watch of this.#watches.values()) watch.forfeit();
  }

  /** Nothing is watched any more. */
  [Symbol.dispose](): void {
    for (const watch of this.#watches.values()) watch.close();
    this.#watches.clear();
  }

  *#holders(): IterableIterator<{ holder: Task; watch: LockWatch }> {
    for (const watch of this.#watches.values()) {
      if (watch.holder) yield { holder: watch.holder, watch };
    }
  }

  #newWatch(name: string): LockWatch {
    const { channel, instance, isGone, leaseMs, log, topics, workerId } =
      this.#options;
    const topic = topics.lock(name);
    const watch: LockWatch = new LockWatch(name, {
      workerId,
      topic,
      instance,
      isGone: (claim) => claim.worker_id === workerId || isGone(claim),
      leaseMs,
      log,
      newToken: () => `${instance()}.${++this.#takes}`,
      lookUp: () => lookUp(topic, this.#options),
      unsubscribe: () => void channel.unsubscribe(topic).catch(() => {}),
      publish: (message) => channel.publish(message),
      onChange: () => {
        if (watch.holder && !this.#options.isActive(watch.holder)) {
          this.#options.startNext();
        }
        this.update();
      },
      onLost: (task, why) => this.#options.onLost(task, why),
    });
    return watch;
  }
}

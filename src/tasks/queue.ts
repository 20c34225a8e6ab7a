/**
 * The tasks that wait here for a slot: as they came, and those that the group
 * has accepted before by when that was.
 *
 * A place is reserved before the group is told that a task is queued, and
 * filled or given back once it is clear whose task it is. A task that is on its
 * way to a peer keeps its place until the peer has it.
 *
 * @module
 */
import type { Task } from "./task.ts";

/** A bounded queue with reservations. */
export class TaskQueue {
  readonly #capacity: number;
  #tasks = new Map<string, Task>();
  #isSorted = true;
  readonly #leaving = new Set<string>();
  /** Those of the tasks that have a lock. */
  readonly #locked = new Set<string>();
  #reserved = 0;

  /**
   * An empty queue.
   *
   * @param capacity how many tasks may wait
   */
  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** How many wait for a slot here, those on their way to a peer not counted. */
  get waiting(): number {
    return this.#tasks.size - this.#leaving.size;
  }

  /** How many have a place. */
  get size(): number {
    return this.#tasks.size + this.#reserved;
  }

  /**
   * How many more fit.
   *
   * @param freeSlots slots that would take a task at once
   */
  room(freeSlots: number): number {
    return Math.max(0, this.#capacity + freeSlots - this.size);
  }

  /**
   * Keeps a place for one task.
   *
   * @returns false when full
   */
  reserve(freeSlots: number): boolean {
    if (this.room(freeSlots) === 0) return false;
    this.#reserved++;
    return true;
  }

  /** Gives a reserved place back. */
  giveBack(): void {
    this.#reserved--;
  }

  /** Fills a reserved place. */
  put(task: Task): void {
    this.#reserved--;
    this.#add(task);
  }

  /** Takes a task that the group has accepted before, whether or not it fits. */
  putBack(task: Task): void {
    this.#add(task);
    this.#isSorted = false;
  }

  /** The task of this id, if it waits here. */
  get(id: string): Task | undefined {
    return this.#tasks.get(id);
  }

  /** All that wait for a slot here, oldest first. */
  *tasks(): IterableIterator<Task> {
    this.#sort();
    for (const task of this.#tasks.values()) {
      if (!this.#leaving.has(task.id)) yield task;
    }
  }

  /** Those of them that have a lock. */
  *locked(): IterableIterator<Task> {
    if (this.#locked.size === 0) return;
    for (const task of this.tasks()) if (task.lock !== null) yield task;
  }

  /** The oldest that waits for a slot here, of those that may start. */
  oldest(mayStart: (task: Task) => boolean): Task | undefined {
    for (const task of this.tasks()) if (mayStart(task)) return task;
  }

  /** A peer is to have this one; it is not started here meanwhile. */
  leave(task: Task): void {
    this.#leaving.add(task.id);
  }

  /** The peer did not take it: it waits here as before. */
  stay(task: Task): void {
    this.#leaving.delete(task.id);
  }

  /** Whether a task is on its way to a peer. */
  isLeaving(task: Task): boolean {
    return this.#leaving.has(task.id);
  }

  #add(task: Task): void {
    this.#tasks.set(task.id, task);
    if (task.lock !== null) this.#locked.add(task.id);
  }

  #sort(): void {
    if (this.#isSorted) return;
    this.#isSorted = true;
    const tasks = [...this.#tasks.values()].sort((a, b) =>
      a.createdAt.getTime() - b.createdAt.getTime()
    );
    this.#tasks = new Map(tasks.map((task) => [task.id, task]));
  }

  /** Takes a task out. */
  remove(task: Task): void {
    this.#tasks.delete(task.id);
    this.#leaving.delete(task.id);
    this.#locked.delete(task.id);
  }
}

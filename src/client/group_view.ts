/**
 * What is known of a group by its retained topics.
 *
 * What does not fit its schema, or speaks of somebody else than its topic does,
 * is passed over; fields that are not known yet are not minded, since a worker
 * may be newer than its client.
 *
 * @module
 */
import { type Lock, lockSchema } from "../messages/lock.ts";
import type { Incoming } from "../messages/packets.ts";
import {
  type Load,
  loadSchema,
  type Presence,
  presenceSchema,
  readAs,
} from "../messages/presence.ts";
import {
  receivedStatusSchema,
  type TaskStatus,
} from "../messages/task_status.ts";
import type { Topics } from "../messages/topics.ts";

/** What a message has changed. */
export type Change =
  | { kind: "status"; status: TaskStatus }
  | { kind: "worker"; workerId: string }
  | { kind: "lock"; lock: string };

const loosePresence = presenceSchema.loose();
const looseLoad = loadSchema.loose();
const looseLock = lockSchema.loose();

/** A group, as its topics show it. */
export class GroupView {
  /** The newest status of each task. */
  readonly tasks = new Map<string, TaskStatus>();
  /** The presence of each worker. */
  readonly presences = new Map<string, Presence>();
  /** The load of each worker. */
  readonly loads = new Map<string, Load>();
  /** What is said of each lock. */
  readonly locks = new Map<string, Lock>();
  readonly #topics: Topics;

  /** Nothing is known at first. */
  constructor(topics: Topics) {
    this.#topics = topics;
  }

  /** Takes note of a message; null if it changes nothing. */
  receive({ topic, payload }: Incoming): Change | null {
    const about = this.#topics.parse(topic);
    switch (about?.kind) {
      case "status": {
        const status = readAs(receivedStatusSchema, payload);
        if (!status) {
          this.tasks.delete(about.taskId);
          return null;
        }
        if (status.task_id !== about.taskId) return null;
        this.tasks.set(about.taskId, status);
        return { kind: "status", status };
      }
      case "presence": {
        const { workerId } = about;
        keep(this.presences, workerId, readAs(loosePresence, payload));
        return { kind: "worker", workerId };
      }
      case "load": {
        const { workerId } = about;
        keep(this.loads, workerId, readAs(looseLoad, payload));
        return { kind: "worker", workerId };
      }
      case "lock": {
        const lock = readAs(looseLock, payload);
        if (lock) this.locks.set(about.lock, lock);
        else this.locks.delete(about.lock);
        return { kind: "lock", lock: about.lock };
      }
      default:
        return null;
    }
  }

  /** Which task has the lock that a task waits for; null for none. */
  waitsFor(
    { lock, state, task_id }: Pick<TaskStatus, "lock" | "state" | "task_id">,
  ): Lock | null {
    const holder = this.locks.get(lock ?? "");
    return state === "queued" && holder?.state === "held" &&
        holder.task_id !== task_id
      ? holder
      : null;
  }

  /** The tasks, the oldest first. */
  inOrder(): TaskStatus[] {
    return [...this.tasks.values()].sort((a, b) =>
      a.created_at < b.created_at ? -1 : a.created_at > b.created_at ? 1 : 0
    );
  }

  /** The workers, by their names. */
  workers(): Presence[] {
    return [...this.presences.values()].sort((a, b) =>
      a.worker_id < b.worker_id ? -1 : 1
    );
  }

  /** The workers that take tasks. */
  online(): Presence[] {
    return this.workers().filter(({ state }) => state === "online");
  }

  /** Whether a worker has neither a free slot nor room in its queue. */
  isFull(workerId: string): boolean {
    const load = this.loads.get(workerId);
    return load !== undefined && load.free_slots === 0 && load.room === 0;
  }
}

function keep<T extends { worker_id: string }>(
  all: Map<string, T>,
  workerId: string,
  value: T | null,
): void {
  if (value?.worker_id === workerId) all.set(workerId, value);
  else if (value === null) all.delete(workerId);
}

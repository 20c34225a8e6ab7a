/**
 * The judge: whether the promises were kept in one run.
 *
 * @module
 */
import { lockSchema } from "../../src/messages/lock.ts";
import {
  loadSchema,
  presenceSchema,
  readAs,
} from "../../src/messages/presence.ts";
import type { TaskStatus } from "../../src/messages/task_status.ts";
import { taskStatusSchema } from "../../src/messages/task_status.ts";
import type { Topics } from "../../src/messages/topics.ts";
import { judgeTask, type TaskPromise } from "../harness/promises.ts";
import type { Broker } from "./broker/broker.ts";
import type { Ledger, TaskRecord } from "./ledger.ts";

/** What is promised. */
export type PromiseName =
  | TaskPromise
  /** A request reaches a worker, if there is one. */
  | "is heard"
  /** A task whose message expires has a final status too. */
  | "expires"
  /** The final status is what stands on the task's topic. */
  | "stands"
  /** Nothing of a task runs after its end. */
  | "runs no longer"
  /** What one worker is asked for, no other one runs. */
  | "is bound"
  /** No two tasks with one lock run at the same time. */
  | "excludes"
  /** Workers that have nothing to do hold nothing. */
  | "drains"
  /** Messages do not go on for ever. */
  | "falls silent"
  /** No worker works with a broker that cannot serve it. */
  | "refuses"
  /** No worker ends by itself. */
  | "stays";

/** A promise that was not kept. */
export interface Breach {
  /** Which one. */
  promise: PromiseName;
  /** Of which task, if of one. */
  task: string | null;
  /** What is wrong. */
  text: string;
  /** Time may put it right. */
  mayStillBeKept: boolean;
}

/** What was read already: a run is judged again and again. */
const read = new WeakMap<Uint8Array, TaskStatus | null>();

function statusOf(payload: Uint8Array): TaskStatus | null {
  const known = read.get(payload);
  if (known !== undefined) return known;
  const status = readAs(taskStatusSchema, payload);
  read.set(payload, status);
  return status;
}

/** Judges a run as it stands. */
export function judge(
  { ledger, broker, topics, workers, isTooMuch, isUnsuitable }: {
    ledger: Ledger;
    broker: Broker;
    topics: Topics;
    /** The workers that are there. */
    workers: readonly string[];
    /** It was broken off since there were too many packets. */
    isTooMuch: boolean;
    /** It is a broker with which nobody can work. */
    isUnsuitable: boolean;
  },
): Breach[] {
  const breaches: Breach[] = [];
  const breaks = (
    promise: PromiseName,
    text: string,
    { task = null, mayStillBeKept = false }: {
      task?: string | null;
      mayStillBeKept?: boolean;
    } = {},
  ) => breaches.push({ promise, task, text, mayStillBeKept });

  if (isUnsuitable) {
    for (const worker of workers) {
      if (broker.retained(topics.presence(worker))) {
        breaks("refuses", `${worker} says that it is there`);
      }
    }
    for (const [id, { runs }] of ledger.tasks) {
      if (runs.length > 0) breaks("refuses", "it was run", { task: id });
    }
    return breaches;
  }
  if (isTooMuch) {
    breaks("falls silent", `${broker.packets} packets, and no end of it`);
  }
  for (const { task, text } of ledger.overlaps) {
    breaks("excludes", text, { task });
  }
  for (const exit of ledger.exits) breaks("stays", exit);
  for (const [id, record] of ledger.tasks) {
    for (const { promise, text } of judgeRecord(record)) {
      // A group with nobody in it has promised that to nobody.
      if (workers.length === 0 && promise === "ends") continue;
      breaks(promise, text, {
        task: id,
        mayStillBeKept: promise === "ends" || promise === "expires",
      });
    }
    if (record.isUnheard) {
      breaks("is heard", "its request reached nobody, and a worker was there", {
        task: id,
      });
    }
    for (const { owner } of record.runs) {
      if (record.boundTo === null) break;
      if (owner.name.startsWith(`${record.boundTo}.`)) continue;
      breaks("is bound", `${owner.name} has run it`, { task: id });
    }
    for (const text of record.untrue) {
      breaks("is told truly", text, { task: id });
    }
    for (const { isOver, owner } of record.runs) {
      if (isOver || owner.dead || record.finals.size === 0) continue;
      breaks("runs no longer", `it still runs at ${owner.name}`, {
        task: id,
        mayStillBeKept: true,
      });
    }
    if (record.finals.size === 0) continue;
    const message = broker.retained(topics.status(id));
    const standing = message && statusOf(message.payload);
    if (!standing || standing.completed_at === null) {
      breaks(
        "stands",
        `it has ended, and its status is ${standing?.state ?? "gone"}`,
        { task: id, mayStillBeKept: true },
      );
    }
  }
  for (const worker of workers) {
    const read = (topic: string) =>
      broker.retained(topic)?.payload ?? new Uint8Array();
    const load = readAs(loadSchema, read(topics.load(worker)));
    const presence = readAs(presenceSchema, read(topics.presence(worker)));
    const held = [
      ...broker.retainedTopics(topics.lock("")).map((topic) =>
        readAs(lockSchema, read(topic))
      ).filter((lock) =>
        lock !== null && lock.state !== "free" &&
        lock.instance === presence?.instance
      ).map((lock) => `has ${lock!.lock} (${lock!.state})`),
      ...broker.retainedTopics(topics.record(worker, ""))
        .filter((topic) => !topic.endsWith("!sentinel"))
        .map((topic) => `has the record ${topic}`),
      ...(load?.queued ? [`has ${load.queued} queued`] : []),
      ...(load && load.free_slots === 0 ? ["has no free slot"] : []),
    ];
    if (held.length > 0) {
      breaks("drains", `${worker} ${held.join(", ")}`, {
        mayStillBeKept: true,
      });
    }
  }
  return breaches;
}

function judgeRecord(
  record: TaskRecord,
): { promise: PromiseName; text: string }[] {
  const finals = [...record.finals.values()];
  // One that was refused may be sent again, with the same id.
  const refusals = finals.filter(isRefusal);
  const others = finals.filter((status) => !isRefusal(status));
  const asked = Math.max(record.taken, record.given);
  const counted = asked > 1 && refusals.length <= asked
    ? others.length > 0 ? others : refusals.slice(0, 1)
    : finals;
  return judgeTask({
    finals: counted,
    starts: record.runs.length,
    ends: record.runs.filter(({ endedItself }) => endedItself).length,
  }).flatMap(({ promise, text }): { promise: PromiseName; text: string }[] => {
    if (promise !== "ends") return [{ promise, text }];
    // Nobody has promised anything of what the broker did not give away, or of
    // what it dropped before a worker had it.
    if (record.taken === 0) return [];
    const { mayBeForgotten, mayBeLost, mayExpire } = record;
    if (!record.isKnown && (mayExpire || mayBeForgotten || mayBeLost)) {
      return [];
    }
    return [{ promise: record.mayExpire ? "expires" : promise, text }];
  });
}

function isRefusal({ started_at, state }: TaskStatus): boolean {
  return state === "failed" && started_at === null;
}

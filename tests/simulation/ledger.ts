/**
 * What has really happened in a run: who was asked for what, what was run, and
 * what was said. The oracle judges by it.
 *
 * @module
 */
import type { Message } from "./broker/message.ts";
import { readAs } from "../../src/messages/presence.ts";
import type { Topics } from "../../src/messages/topics.ts";
import {
  NO_PROGRESS,
  type Progress,
  type TaskStatus,
  taskStatusSchema,
} from "../../src/messages/task_status.ts";
import { type Owner, virtualNow } from "./clock.ts";

/** One run of a playbook. */
export interface Ran {
  /** The process that ran it. */
  readonly owner: Owner;
  /** Its numbers, as they really are. */
  progress: Progress;
  /** It came to its own end. */
  endedItself: boolean;
  /** Nothing of it runs any more. */
  isOver: boolean;
  /** Its lock. */
  readonly lock: string | undefined;
}

/** One task. */
export interface TaskRecord {
  /** How often its request was given to somebody by the broker. */
  taken: number;
  /** How often the group was given one of its requests. */
  given: number;
  /** One of its requests reached nobody, and a worker was there. */
  isUnheard: boolean;
  /** One of its requests could expire. */
  mayExpire: boolean;
  /** The broker has forgotten something since. */
  mayBeForgotten: boolean;
  /**
   * All its requests were published at QoS 0, at which a message that is under
   * way when a connection is lost arrives not at all (4.3.1).
   */
  mayBeLost: boolean;
  /** Whether any worker has said anything of it, or stored its record. */
  isKnown: boolean;
  /** The only worker that may run it; null for any. */
  boundTo: string | null;
  /** Its runs. */
  readonly runs: Ran[];
  /** Its final statuses, each once, by their text. */
  readonly finals: Map<string, TaskStatus>;
  /** By the tokens of those who have said them, the number of each. */
  readonly endedAt: Map<string, number>;
  /** What was said that cannot be so. */
  readonly untrue: string[];
}

const text = new TextDecoder();

/** The books of one run. */
export class Ledger {
  /** By task id. */
  readonly tasks = new Map<string, TaskRecord>();
  /** Workers that have ended without having been told to. */
  readonly exits: string[] = [];
  /** How often each step was reached, and each fault happened. */
  readonly counts = new Map<string, number>();
  /** Is told of each run. */
  onRun: ((taskId: string, ran: Ran) => void) | null = null;
  readonly #topics: Topics;

  /** Empty ones. */
  constructor(topics: Topics) {
    this.#topics = topics;
  }

  /** The record of a task. */
  task(id: string): TaskRecord {
    let record = this.tasks.get(id);
    if (!record) {
      record = {
        taken: 0,
        given: 0,
        isUnheard: false,
        mayExpire: false,
        mayBeForgotten: false,
        mayBeLost: true,
        isKnown: false,
        boundTo: null,
        runs: [],
        finals: new Map(),
        endedAt: new Map(),
        untrue: [],
      };
      this.tasks.set(id, record);
    }
    return record;
  }

  /** Something has happened once more. */
  count(what: string): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1);
  }

  /** Runs that began while another one with the same lock ran. */
  readonly overlaps: { task: string; text: string }[] = [];

  /** A run begins. */
  started(
    taskId: string,
    owner: Owner,
    { lock }: { lock?: string | undefined } = {},
  ): Ran {
    if (lock !== undefined) this.#compareLocks({ taskId, owner, lock });
    const ran: Ran = {
      lock,
      owner,
      progress: { ...NO_PROGRESS },
      endedItself: false,
      isOver: false,
    };
    this.task(taskId).runs.push(ran);
    this.onRun?.(taskId, ran);
    return ran;
  }

  #compareLocks(
    { taskId, owner, lock }: { taskId: string; owner: Owner; lock: string },
  ): void {
    this.count("locked run");
    for (const [id, { runs }] of this.tasks) {
      for (const run of runs) {
        if (run.lock !== lock || run.isOver || run.owner.dead) continue;
        this.overlaps.push({
          task: taskId,
          text: `at ${
            virtualNow().toFixed(0)
          } ms ${owner.name} runs it under ${lock}, which ${id} has at ${run.owner.name}`,
        });
      }
    }
  }

  /** The broker has lost some of what it had, statuses among it or not. */
  brokerForgot({ statuses }: { statuses: boolean }): void {
    for (const record of this.tasks.values()) {
      if (!record.isKnown) record.mayBeForgotten = true;
      // An end that was lost before its worker heard of it may be bid for anew.
      if (statuses) record.endedAt.clear();
    }
  }

  /** So have all workers, but for what has begun: that is in their journals. */
  allForgot(): void {
    for (const record of this.tasks.values()) {
      if (record.runs.length > 0) continue;
      record.isKnown = false;
      record.mayBeForgotten = true;
      record.finals.clear();
    }
  }

  /**
   * A request was given to somebody else as a new one, with no DUP: whoever gets
   * it cannot tell it from one that was sent again. (4.8.2 lets a broker do so at
   * QoS 1, and forbids it at QoS 2, where it was seen.)
   */
  repeated(taskId: string): void {
    this.task(taskId).taken++;
  }

  /** A request for the group: a controller's, or what a worker gives on. */
  #given({ payload }: Message): void {
    const text = typeof payload === "string"
      ? payload
      : new TextDecoder().decode(payload);
    // In one that is signed it does not stand.
    const id = /"task_id":"([^"]*)"/.exec(text)?.[1];
    if (id !== undefined) this.task(id).given++;
  }

  /** A message that the broker has accepted. */
  said(message: Message): void {
    if (message.payload.length === 0) return;
    if (message.topic === this.#topics.tasks) return this.#given(message);
    const topic = this.#topics.parse(message.topic);
    if (topic?.kind === "record") this.task(topic.taskId).isKnown = true;
    if (topic?.kind !== "status") return;
    const record = this.task(topic.taskId);
    record.isKnown = true;
    const told = text.decode(message.payload);
    const status = readAs(taskStatusSchema, message.payload);
    if (!status) {
      record.untrue.push(`what was said is no status: ${told}`);
      return;
    }
    this.#compareWithEnd(record, status, message);
    if (record.finals.has(told)) return;
    if (status.completed_at !== null) record.finals.set(told, status);
    this.#compare(record, status);
  }

  /** Whoever has said an end has said nothing else after it. */
  #compareWithEnd(
    { endedAt, untrue }: TaskRecord,
    { completed_at, state }: TaskStatus,
    { properties }: Message,
  ): void {
    const { token, seq } = properties.userProperties ?? {};
    if (typeof token !== "string") return;
    const said = Number(seq);
    // What others put back is older.
    if (completed_at === null && said > (endedAt.get(token) ?? Infinity)) {
      const now = virtualNow().toFixed(0);
      untrue.push(`at ${now} ms it is ${state}, after its end`);
    } else if (completed_at !== null) endedAt.set(token, said);
  }

  /** Whether a status can be so. */
  #compare(record: TaskRecord, status: TaskStatus): void {
    const runs = record.runs.filter(({ owner }) =>
      owner.name.startsWith(`${status.worker_id}.`)
    );
    const done = Math.max(0, ...runs.map(({ progress }) => sum(progress)));
    const now = virtualNow().toFixed(0);
    if (sum(status) > done) {
      record.untrue.push(
        `at ${now} ms ${sum(status)} results are told, and there were ${done}`,
      );
    }
    if (status.completed_at === null) return;
    const own = runs.findLast(({ owner }) => !owner.dead);
    if (
      !own ||
      status.state === "failed" &&
        /the worker stopped/.test(status.error_message ?? "")
    ) return;
    if (!own.isOver) {
      record.untrue.push(`at ${now} ms its end is told, and it still runs`);
    } else if (
      status.started_at !== null && sum(status) !== sum(own.progress)
    ) {
      record.untrue.push(
        `its last status tells ${sum(status)} results of ${sum(own.progress)}`,
      );
    }
    // One that was to be ended may have come to its own end before.
    const { return_code: code, state } = status;
    if (
      state === "success" && code !== 0 || state === "failed" && code === 0
    ) record.untrue.push(`${state} with return code ${code}`);
  }
}

function sum({ tasks_ok, tasks_failed }: Progress): number {
  return tasks_ok + tasks_failed;
}

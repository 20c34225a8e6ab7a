/**
 * From a record to the queue: what an earlier process of this worker has left,
 * or a worker that is gone.
 *
 * | what stands | what becomes of it |
 * | --- | --- |
 * | a record alone | it is judged as a request that has just come |
 * | `queued`, by its holder | it waits here, as it has waited there; without its template, at a peer that has it; if it was for its holder alone, and that is gone, it is `failed` |
 * | `running`, by its holder | `failed`: "the worker stopped while this task was running" |
 * | a final status, or another worker's | the record is removed |
 * | its holder's, which is back | it is left to it |
 * | `queued`, from nobody, and two workers have a record of it | `failed`: nobody knows whether it has run |
 * | a refusal by a worker that did not have it | `failed`, likewise: it hides what the holder has said |
 * | `running`, taken over by somebody who was about to end it, and has not | as if it had not been |
 *
 * Two of these are what is left when a worker had bid for a task, or had refused a
 * copy of it, on a connection that stood still, and another one, which is gone, had
 * begun it meanwhile: what comes late hides that. Of two that live each would have
 * seen the other's; and of what moves on there are two records for a while, but
 * then `queued` says from whom.
 *
 * What the journal of an earlier process knows comes before what stands there.
 *
 * A record is no more trusted than a message: it is opened, verified and judged
 * as a request is.
 *
 * @module
 */
import type { Delivery } from "../messages/packets.ts";
import type { TaskStatus } from "../messages/task_status.ts";
import {
  type Addressee,
  partOf,
  requestFor,
  WORKER_GONE,
} from "./addressee.ts";
import { isBeingEnded } from "./bid.ts";
import type { Dispatcher } from "./dispatcher.ts";
import type { LeftBehind } from "./left_behind.ts";
import type { Journal } from "./journal.ts";
import { movedProperties, originOf } from "./origin.ts";
import type { Log, Runner } from "./ports.ts";
import { isMereRefusal, type PublishedStatus } from "./published_status.ts";
import type { FoundRecord, Records } from "./records.ts";
import { isRefusal } from "./refusals.ts";
import type { RequestOpener } from "./request_opener.ts";
import type { Responses } from "./responses.ts";
import type { StatusBoard } from "./status_board.ts";
import { isFinal } from "./states.ts";
import { Task } from "./task.ts";
import type { Turns } from "./turns.ts";

/** How many are taken over side by side. */
const AT_ONCE = 100;

/** Why a task has failed of which two workers have a record. */
const CONTESTED =
  "two workers had accepted this task when one of them stopped, and it is not known whether it has run";

/** The same, where a copy of its request was refused elsewhere. */
const HIDDEN =
  "another worker had refused a copy of this task when its own one stopped, and it is not known whether it has run";

/** What has become of a task whose record was found. */
type Outcome =
  /** It is ours, and waits. */
  | "waits"
  /** It has ended, or is somebody else's. */
  | "over"
  /** It is its holder's, which says so while it is looked, or is connected. */
  | "holder is back";

/** Whose the task was that is taken over. */
interface Left {
  /** Whose record of it was found, or whom a request was for. */
  keeper: string;
  holder: string;
  /** Whether that one may have had it before: it has a record, for one. */
  redelivered: boolean;
}

/** What taking over needs. */
export interface TakeOverOptions {
  workerId: string;
  opener: RequestOpener;
  runner: Pick<Runner, "refusal">;
  board: StatusBoard;
  journal: Journal;
  records: Records;
  dispatcher: Dispatcher;
  responses: Responses;
  turns: Turns;
  leftBehind: LeftBehind;
  log: Log;
  /** Whether another worker is connected, by what it has said last. */
  isThere(workerId: string): boolean;
  /** Whether there is no other worker. */
  isAlone(): boolean;
  /** A peer that has a template which this worker has not. */
  workerWithTemplate(task: Task): Promise<string | null>;
  /** Offers a task to a peer; false if it is still ours. */
  offer(task: Task, peer: string): Promise<boolean>;
}

/** Takes over what others have left. */
export class TakeOver {
  readonly #options: TakeOverOptions;

  /** Takes nothing over by itself. */
  constructor(options: TakeOverOptions) {
    this.#options = options;
  }

  /**
   * Takes records over, oldest first; afterwards their holder has them no more.
   *
   * @param holder this worker, or one that is gone
   * @returns false if some were left to the holder, which is back
   */
  async records(
    found: readonly FoundRecord[],
    holder: string,
  ): Promise<boolean> {
    let isAll = true;
    const left = { keeper: holder, holder, redelivered: true };
    const take = async (record: FoundRecord) => {
      if (!await this.#record(record, left)) isAll = false;
    };
    await this.#each(
      found,
      ({ taskId }) => taskId,
      holder === this.#options.workerId
        ? (record) => this.#unlessRefused(record.taskId, () => take(record))
        : take,
    );
    return isAll;
  }

  /**
   * A request for a worker that is gone, and for no other, which it has not
   * accepted: it becomes a task that has failed.
   */
  async undelivered(
    { payload, properties, redelivered, topic }: Delivery,
    { holder, to }: { holder: string; to: Addressee },
  ): Promise<void> {
    const origin = {
      ...originOf({ redelivered: true, properties }),
      to,
      owner: null,
    };
    const opened = await this.#options.opener.open(payload, {
      ...origin,
      from: null,
      part: partOf(origin, holder),
    });
    if (!opened.ok) return;
    const request = requestFor(opened.request, { to, workerId: holder });
    const { task_id } = request.request;
    const record = {
      taskId: task_id,
      message: {
        topic,
        payload,
        retained: false,
        properties: movedProperties(properties, { ...origin, from: null }),
      },
    };
    await this.#options.turns.take(
      task_id,
      () => this.#record(record, { keeper: holder, holder, redelivered }),
    );
  }

  /**
   * Looks at tasks that stand in the journal: what has begun and not ended is
   * ended, and what has ended is published where it is not.
   */
  async written(taskIds: readonly string[]): Promise<void> {
    await this.#each(
      taskIds,
      (id) => id,
      (id) => this.#unlessRefused(id, () => this.#written(id)),
    );
  }

  /** What the broker refuses of one task of this worker's holds up no other. */
  async #unlessRefused(
    taskId: string,
    work: () => Promise<void>,
  ): Promise<void> {
    const { board, log } = this.#options;
    try {
      await work();
    } catch (error) {
      if (!isRefusal(error)) throw error;
      board.forget(taskId);
      // Each connection begins with what is found.
      log.error("cannot look at the status of a task; tried again", {
        task_id: taskId,
        error,
      });
    }
  }

  async #each<T>(
    all: readonly T[],
    idOf: (one: T) => string,
    work: (one: T) => Promise<void>,
  ): Promise<void> {
    const { turns } = this.#options;
    for (let i = 0; i < all.length; i += AT_ONCE) {
      await Promise.all(
        all.slice(i, i + AT_ONCE).map((one) =>
          turns.take(idOf(one), () => work(one))
        ),
      );
    }
  }

  async #written(taskId: string): Promise<void> {
    const { board, dispatcher, journal, leftBehind } = this.#options;
    // It may have come again meanwhile.
    await dispatcher.cleared(taskId);
    if (dispatcher.find(taskId)) return;
    const { judgement, seen } = await board.look(taskId, () => ({
      redelivered: true,
      from: null,
    }));
    if (judgement === "left behind") await leftBehind.end(taskId, seen!);
    else if (judgement === "take") board.forget(taskId);
    else if (isFinal(seen!.status.state)) journal.told(seen!);
  }

  /** @returns false if it was left to its keeper, which is back */
  async #record(record: FoundRecord, left: Left): Promise<boolean> {
    const { dispatcher, records, workerId } = this.#options;
    const { keeper } = left;
    const { taskId } = record;
    const isOwn = keeper === workerId;
    // What is being ended here has its record until that is known.
    if (!dispatcher.find(taskId)) await dispatcher.cleared(taskId);
    // Otherwise it was taken over before, by an adoption that was not finished.
    if (!dispatcher.find(taskId)) {
      const outcome = await this.#settle(record, left);
      const isOurs = outcome === "waits";
      if (!isOurs && (isOwn || records.has(taskId))) records.remove(taskId);
      if (outcome === "holder is back") return false;
    }
    if (!isOwn) records.remove(taskId, keeper);
    return true;
  }

  /**
   * Does with a task what is to be done with one of a holder that is gone.
   */
  async #settle(
    record: FoundRecord,
    options: Left,
  ): Promise<Outcome> {
    const { board, isThere, workerId } = this.#options;
    const { taskId } = record;
    const { redelivered } = options;
    const { isNew, judgement, seen } = await board.look(taskId, () => ({
      redelivered,
      from: null,
      isAccepted: redelivered,
    }), options);
    const isOfHolder = seen?.status.worker_id === options.holder &&
      options.keeper !== workerId && !isBeingEnded(seen);
    if (isOfHolder && (isNew || isThere(options.holder))) {
      board.forget(taskId);
      return "holder is back";
    }
    if (seen === null) return await this.#open(record, { ...options, seen });
    if (judgement === "left behind") {
      return await (isMereRefusal(seen)
        ? this.#endContested(record, { ...options, seen, error: HIDDEN })
        : this.#end(record, { ...options, seen }));
    } else if (judgement !== "take") {
      const holder = seen.status.worker_id;
      if (holder !== options.holder && this.#isLeftTo(seen)) {
        return await this.#settle(record, { ...options, holder });
      }
    } else if (isFirstBid(seen) && await this.#isContested(taskId, options)) {
      const error = CONTESTED;
      return await this.#endContested(record, { ...options, seen, error });
    } else return await this.#open(record, { ...options, seen });
    return "over";
  }

  /** Whether what stands there may be left to whoever has found a record. */
  #isLeftTo(seen: PublishedStatus): boolean {
    const { isThere, workerId } = this.#options;
    const bidder = seen.status.worker_id;
    // What waits is ended by its holder itself, what runs by somebody else.
    if (isBeingEnded(seen)) return seen.status.state === "running";
    // A bidder that is there has seen what was said before its bid.
    return isFirstBid(seen) && bidder !== workerId && !isThere(bidder);
  }

  /** Whether somebody else than its holder has accepted it too. */
  async #isContested(
    taskId: string,
    { keeper, holder }: Left,
  ): Promise<boolean> {
    const { isAlone, records, workerId } = this.#options;
    if (isAlone()) return false;
    const keepers = new Set(await records.keepers(taskId));
    keepers.delete(holder);
    // What an adoption that was not finished has left here.
    if (keeper !== workerId) keepers.delete(workerId);
    return keepers.size > 0;
  }

  /** Ends what may have run, though it does not stand there that it has. */
  async #endContested(
    record: FoundRecord,
    { seen, ...options }: Left & { seen: PublishedStatus; error: string },
  ): Promise<Outcome> {
    const status: TaskStatus = {
      ...seen.status,
      state: "running",
      started_at: seen.status.created_at,
      completed_at: null,
      error_message: null,
      worker_id: options.holder,
    };
    return await this.#end(record, { ...options, seen: { ...seen, status } });
  }

  /**
   * Ends what was looked at. Its holder may be back, and let go of it; so there
   * is a record of ours before.
   */
  async #end(
    record: FoundRecord,
    { seen, error, ...options }: Left & {
      seen: PublishedStatus;
      error?: string;
    },
  ): Promise<Outcome> {
    const { leftBehind, records, workerId } = this.#options;
    const { taskId, message } = record;
    if (options.keeper !== workerId) await records.copy(taskId, message);
    const isEnded = await leftBehind.end(taskId, seen, error);
    return isEnded ? "over" : await this.#lost(record, options);
  }

  /**
   * Whoever was quicker may be its holder, which is back, and whose record it
   * is.
   */
  async #lost(
    record: FoundRecord,
    options: Left,
  ): Promise<Outcome> {
    return options.keeper === this.#options.workerId
      ? "over"
      : await this.#settle(record, options);
  }

  async #open(
    record: FoundRecord,
    options: Left & { seen: PublishedStatus | null },
  ): Promise<Outcome> {
    const { board, log, opener, responses, workerId } = this.#options;
    const { taskId, message: { payload, properties } } = record;
    const { holder, seen } = options;
    const origin = originOf({ redelivered: true, properties });
    const owner = origin.owner ?? holder;
    const opened = await opener.open(payload, {
      ...origin,
      from: null,
      part: partOf(origin, owner),
    });
    const request = opened.ok &&
      requestFor(opened.request, { to: origin.to, workerId: owner });
    if (!request || request.request.task_id !== taskId) {
      // Without a report, its signature has had its effect here before.
      const reason = opened.ok
        ? "it asks for another task"
        : opened.report?.reason ?? "replayed";
      log.warn("a record is not a valid request any more, and is removed", {
        task_id: taskId,
        reason,
      });
      if (seen) {
        return await this.#end(record, {
          ...options,
          seen,
          error: `its request is not valid any more: ${reason}`,
        });
      }
      board.forget(taskId);
      return "over";
    }
    const task = new Task(request, { payload, properties }, {
      ...origin,
      owner: origin.to === "group" || owner === workerId ? null : owner,
      signature: opened.signature,
      response: responses.to(properties, { task_id: taskId }),
    });
    return await this.#take(task, { ...options, record });
  }

  async #take(
    task: Task,
    { record, seen, ...options }: Left & {
      record: FoundRecord;
      seen: PublishedStatus | null;
    },
  ): Promise<Outcome> {
    const { keeper, holder } = options;
    const { board, dispatcher, log, records, runner, workerId } = this.#options;
    const isOwn = keeper === workerId && holder === workerId;
    task.queue();
    if (keeper === workerId) records.keep(task.id, task.message);
    else await records.store(task);
    if (!await board.take(task, seen?.token ?? null)) {
      return await this.#lost(record, options);
    }
    const refusal = task.owner !== null
      ? WORKER_GONE
      : task.refusal ?? await runner.refusal(task.request);
    if (refusal !== null) {
      if (await this.#handOn(task)) return "over";
      task.end({ state: "failed", error: refusal });
      await board.end(task);
      return "over";
    }
    log.info(
      isOwn
        ? "a task that waited when the worker stopped waits again"
        : "a task of a worker that is gone waits here",
      { task_id: task.id, ...(!isOwn && { worker_id: holder }) },
    );
    dispatcher.putBack(task);
    return "waits";
  }

  /** Gives a task to a peer that has the template which is missing here. */
  async #handOn(task: Task): Promise<boolean> {
    const { board, offer, workerWithTemplate } = this.#options;
    if (!task.lacksTemplate) return false;
    const peer = await workerWithTemplate(task);
    if (peer === null || !await offer(task, peer)) return false;
    board.forget(task.id);
    return true;
  }
}

/** Whether whoever wants to have it has taken it from nobody. */
function isFirstBid({ from, status }: PublishedStatus): boolean {
  return status.state === "queued" && from === null;
}

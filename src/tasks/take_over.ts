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
 *
 * What the journal of an earlier process knows comes before what stands there.
 *
 * A record is no more trusted than a message: it is opened, verified and judged
 * as a request is.
 *
 * @module
 */
import type { Delivery } from "../messages/packets.ts";
import {
  type Addressee,
  partOf,
  requestFor,
  WORKER_GONE,
} from "./addressee.ts";
import type { Dispatcher } from "./dispatcher.ts";
import type { LeftBehind } from "./left_behind.ts";
import type { Journal } from "./journal.ts";
import { movedProperties, originOf } from "./origin.ts";
import type { Log, Runner } from "./ports.ts";
import type { PublishedStatus } from "./published_status.ts";
import type { FoundRecord, Records } from "./records.ts";
import type { RequestOpener } from "./request_opener.ts";
import type { Responses } from "./responses.ts";
import type { StatusBoard } from "./status_board.ts";
import { isFinal } from "./states.ts";
import { Task } from "./task.ts";
import type { Turns } from "./turns.ts";

/** How many are taken over side by side. */
const AT_ONCE = 100;

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
   */
  async records(
    found: readonly FoundRecord[],
    holder: string,
  ): Promise<void> {
    await this.#each(
      found,
      ({ taskId }) => taskId,
      (record) => this.#record(record, holder),
    );
  }

  /**
   * A request for a worker that is gone, and for no other, which it has not
   * accepted: it becomes a task that has failed.
   */
  async undelivered(
    { payload, properties, topic }: Delivery,
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
    await this.records([{
      taskId: request.request.task_id,
      message: {
        topic,
        payload,
        retained: false,
        properties: movedProperties(properties, { ...origin, from: null }),
      },
    }], holder);
  }

  /**
   * Looks at tasks that stand in the journal: what has begun and not ended is
   * ended, and what has ended is published where it is not.
   */
  async written(taskIds: readonly string[]): Promise<void> {
    await this.#each(taskIds, (id) => id, (id) => this.#written(id));
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

  async #record(
    { taskId, message }: FoundRecord,
    holder: string,
  ): Promise<void> {
    const { board, dispatcher, records, workerId } = this.#options;
    const isOwn = holder === workerId;
    let waits = false;
    // Otherwise it was taken over before, by an adoption that was not finished.
    if (!dispatcher.find(taskId)) {
      const { judgement, seen } = await board.look(taskId, () => ({
        redelivered: true,
        from: null,
      }), { holder });
      if (judgement === "take") {
        waits = await this.#open({ taskId, message }, { holder, seen });
      } else if (judgement === "left behind") {
        await this.#options.leftBehind.end(taskId, seen!);
      }
      if (!waits && (isOwn || records.has(taskId))) records.remove(taskId);
    }
    if (!isOwn) records.remove(taskId, holder);
  }

  /** @returns whether it is ours and waits */
  async #open(
    { taskId, message: { payload, properties } }: FoundRecord,
    { holder, seen }: { holder: string; seen: PublishedStatus | null },
  ): Promise<boolean> {
    const { board, leftBehind, log, opener, responses, workerId } =
      this.#options;
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
        await leftBehind.end(
          taskId,
          seen,
          `its request is not valid any more: ${reason}`,
        );
      } else board.forget(taskId);
      return false;
    }
    const task = new Task(request, { payload, properties }, {
      ...origin,
      owner: origin.to === "group" || owner === workerId ? null : owner,
      signature: opened.signature,
      response: responses.to(properties, { task_id: taskId }),
    });
    return await this.#take(task, { holder, seen });
  }

  /** @returns whether it is ours and waits */
  async #take(
    task: Task,
    { holder, seen }: { holder: string; seen: PublishedStatus | null },
  ): Promise<boolean> {
    const { board, dispatcher, log, records, runner, workerId } = this.#options;
    const isOwn = holder === workerId;
    task.queue();
    if (isOwn) records.keep(task.id, task.message);
    else await records.store(task);
    if (!await board.take(task, seen?.token ?? null)) return false;
    const refusal = task.owner !== null
      ? WORKER_GONE
      : task.refusal ?? await runner.refusal(task.request);
    if (refusal !== null) {
      if (await this.#handOn(task)) return false;
      task.end({ state: "failed", error: refusal });
      await board.end(task);
      return false;
    }
    log.info(
      isOwn
        ? "a task that waited when the worker stopped waits again"
        : "a task of a worker that is gone waits here",
      { task_id: task.id, ...(!isOwn && { worker_id: holder }) },
    );
    dispatcher.putBack(task);
    return true;
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

/**
 * From a record to the queue: what an earlier process of this worker has left,
 * or a worker that is gone.
 *
 * | what stands | what becomes of it |
 * | --- | --- |
 * | a record alone | it is judged as a request that has just come |
 * | `queued`, by its holder | it waits here, as it has waited there |
 * | `running`, by its holder | `failed`: "the worker stopped while this task was running" |
 * | a final status, or another worker's | the record is removed |
 *
 * A record is no more trusted than a message: it is opened, verified and judged
 * as a request is.
 *
 * @module
 */
import type { Topics } from "../messages/topics.ts";
import type { Dispatcher } from "./dispatcher.ts";
import { endOfLeftBehind } from "./left_behind.ts";
import { originOf } from "./origin.ts";
import type { Channel, Log, Runner } from "./ports.ts";
import type { FoundRecord, Records } from "./records.ts";
import type { RequestOpener } from "./request_opener.ts";
import type { Responses } from "./responses.ts";
import type { StatusBoard } from "./status_board.ts";
import { Task } from "./task.ts";

/** How many are taken over side by side. */
const AT_ONCE = 100;

/** What taking over needs. */
export interface TakeOverOptions {
  workerId: string;
  topics: Topics;
  channel: Pick<Channel, "publish">;
  opener: RequestOpener;
  runner: Pick<Runner, "refusal">;
  board: StatusBoard;
  records: Records;
  dispatcher: Dispatcher;
  responses: Responses;
  log: Log;
  /** Is told of each task that was running and is ended as failed. */
  observer: { leftBehind(): void };
  /** How long the broker keeps a final status; 0: for ever. */
  retentionSeconds: number;
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
    for (let i = 0; i < found.length; i += AT_ONCE) {
      const tasks = await Promise.all(
        found.slice(i, i + AT_ONCE).map((record) =>
          this.#record(record, holder)
        ),
      );
      for (const task of tasks) {
        if (task) this.#options.dispatcher.putBack(task);
      }
    }
  }

  /** @returns the task, if it waits here now */
  async #record(
    { taskId, message }: FoundRecord,
    holder: string,
  ): Promise<Task | null> {
    const { dispatcher, log, records, workerId } = this.#options;
    if (dispatcher.find(taskId)) {
      // Taken over before, by an adoption that was not finished.
      if (holder !== workerId) records.remove(taskId, holder);
      return null;
    }
    const task = await this.#open(taskId, message);
    const waits = task !== null && await this.#take(task, holder);
    if (!waits) {
      if (holder === workerId || records.has(taskId)) records.remove(taskId);
    } else {
      log.info(
        holder === workerId
          ? "a task that waited when the worker stopped waits again"
          : "a task of a worker that is gone waits here",
        { task_id: taskId, ...(holder !== workerId && { worker_id: holder }) },
      );
    }
    if (holder !== workerId) records.remove(taskId, holder);
    return waits ? task : null;
  }

  async #open(
    taskId: string,
    { payload, properties }: FoundRecord["message"],
  ): Promise<Task | null> {
    const { log, opener, responses } = this.#options;
    const origin = originOf({ redelivered: true, properties });
    const opened = await opener.open(payload, { ...origin, from: null });
    if (!opened.ok || opened.request.request.task_id !== taskId) {
      log.warn("a record that is no valid request is removed", {
        task_id: taskId,
        ...(!opened.ok && opened.report && { reason: opened.report.reason }),
      });
      return null;
    }
    return new Task(opened.request, { payload, properties }, {
      ...origin,
      signature: opened.signature,
      response: responses.to(properties, { task_id: taskId }),
    });
  }

  /** @returns whether it is ours and waits */
  async #take(task: Task, holder: string): Promise<boolean> {
    const { board, records, runner, workerId } = this.#options;
    const { judgement, seen } = await board.look(task.id, () => ({
      redelivered: true,
      from: null,
      signedAt: task.signature?.issuedAt ?? null,
    }), { holder });
    if (judgement !== "take") {
      if (seen) await this.#endLeftBehind(task.id, seen, holder);
      return false;
    }
    const refusal = await runner.refusal(task.request);
    if (refusal !== null) {
      task.end({ state: "failed", error: refusal });
      await board.end(task, seen?.token ?? null);
      return false;
    }
    task.queue();
    const { payload, properties } = task.message;
    if (holder === workerId) {
      records.keep(task.id, { payload, properties });
    } else await records.store(task);
    return await board.take(task, seen?.token ?? null);
  }

  async #endLeftBehind(
    taskId: string,
    seen: NonNullable<Awaited<ReturnType<StatusBoard["look"]>>["seen"]>,
    holder: string,
  ): Promise<void> {
    const { channel, log, observer, responses, retentionSeconds, topics } =
      this.#options;
    const end = endOfLeftBehind(seen, {
      workerId: holder,
      topic: topics.status(taskId),
      retentionSeconds,
    });
    if (!end) return;
    await channel.publish(end);
    responses.follow(end, taskId);
    observer.leftBehind();
    log.warn("a task that was running when its worker stopped failed", {
      task_id: taskId,
      worker_id: holder,
    });
  }
}

/**
 * From a delivery to the queue: opening it, reading it, looking whether the
 * group has had it, refusing what cannot be run, and taking the task.
 *
 * Whatever becomes of a delivery, it is released only after what it became is
 * acknowledged by the broker.
 *
 * @module
 */
import type { Delivery } from "../messages/packets.ts";
import { ArrivalOrder, type Place } from "./arrival_order.ts";
import type { Cancelling } from "./cancelling.ts";
import type { Dispatcher } from "./dispatcher.ts";
import type { LogRation } from "./log_ration.ts";
import { type Arrival, duplicateOf } from "./duplicates.ts";
import type { TaskObserver } from "./observer.ts";
import type { Log, Runner } from "./ports.ts";
import type { PublishedStatus } from "./published_status.ts";
import type { TaskQueue } from "./queue.ts";
import type { Rejection, Rejections } from "./rejections.ts";
import type { StatusBoard } from "./status_board.ts";
import { Task } from "./task.ts";
import type { RequestOpener } from "./request_opener.ts";
import type { Response, Responses } from "./responses.ts";

/** How a delivery came here, and what it brings along. */
export interface Origin extends Arrival {
  /** When the first worker accepted it. */
  createdAt: Date | null;
  /** How often it has been handed over. */
  hops: number;
}

/** What the acceptance needs. */
export interface AcceptanceOptions {
  workerId: string;
  queue: TaskQueue;
  queueCapacity: number;
  /** How long an id means the same task, in seconds. */
  windowSeconds: number;
  /** What does not fit is left with the broker until there is room. */
  waitForRoom: boolean;
  dispatcher: Dispatcher;
  board: StatusBoard;
  runner: Runner;
  /** Has cancels that came before their tasks. */
  cancelling: Pick<Cancelling, "applyRemembered" | "forget">;
  opener: RequestOpener;
  responses: Responses;
  rejections: Pick<Rejections, "report">;
  log: Log;
  observer?: TaskObserver;
  /** Where to write what strangers have caused. */
  rationed: LogRation;
  /**
   * Who has room for a task that does not fit here: a peer, or this worker, if
   * `reserve` has kept a place after all.
   */
  workerWithRoom(task: Task, reserve: () => boolean): Promise<string | null>;
  /** A peer that has a template which this worker has not. */
  workerWithTemplate(task: Task): Promise<string | null>;
  /** Offers a task to a peer; false if it is still ours. */
  offer(task: Task, peer: string): Promise<boolean>;
}

/** What is said to whoever has lost the race for a task. */
const QUICKER = "another worker has taken this task at the same moment";

/** The way in. */
export class Acceptance {
  readonly #options: AcceptanceOptions;
  /** Deliveries that are neither accepted nor released yet. */
  readonly #current = new Set<Promise<void>>();
  readonly #order = new ArrivalOrder();
  /** Deliveries that wait for room; the broker still owns them. */
  readonly #waiting: (() => void)[] = [];

  constructor(options: AcceptanceOptions) {
    this.#options = options;
  }

  /** Settles when everything that has come so far is accepted or released. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#current);
  }

  /**
   * Takes care of a delivery.
   *
   * @returns settles when it is accepted, or released; never rejects
   */
  accept(delivery: Delivery, origin: Origin): Promise<void> {
    const now = this.#receive(delivery, origin).catch((error) =>
      this.#options.log.error(
        "cannot accept a message; it stays with the broker",
        { error },
      )
    ).finally(() => this.#current.delete(now));
    this.#current.add(now);
    return now;
  }

  async #receive(delivery: Delivery, origin: Origin): Promise<void> {
    const { opener, responses } = this.#options;
    if (delivery.retained) {
      await this.#reject(delivery, {
        task_id: null,
        reason: "retained",
        errors: [{
          path: "",
          message: "a request must not be retained; publish it without retain",
        }],
      }, opener.wantsSignatures ? null : responses.to(delivery.properties));
      return;
    }
    const message = await this.#order.opened(
      opener.open(delivery.payload, origin),
    );
    if (!message.ok) {
      const { report, trusted } = message;
      if (report) {
        // A stranger gets no answer: it could be one to somebody else.
        const response = trusted ? responses.to(delivery.properties) : null;
        await this.#reject(delivery, report, response);
      } else await delivery.release();
      return;
    }
    if (this.#options.waitForRoom) await this.#room();
    const task = new Task(message.request, delivery, {
      ...origin,
      signature: message.signature,
      response: responses.to(delivery.properties, {
        task_id: message.request.request.task_id,
      }),
    });
    await this.#order.enter(
      task.id,
      (place) => this.#accept(task, { origin, place }),
    );
  }

  /** Somebody may fit in who has waited for it; call it on every change. */
  update(): void {
    const { dispatcher, queue } = this.#options;
    while (this.#waiting.length > 0 && queue.reserve(dispatcher.emptySlots)) {
      this.#waiting.shift()!();
    }
  }

  /** Settles when a place is reserved. */
  #room(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.push(resolve);
    this.update();
    return promise;
  }

  async #accept(
    task: Task,
    { origin, place }: { origin: Origin; place: Place },
  ): Promise<void> {
    const { board, cancelling, dispatcher, log, queue, runner, waitForRoom } =
      this.#options;
    let reserved = waitForRoom;
    try {
      let here = dispatcher.find(task.id);
      if (!here || here.final) {
        // Its end can be read before the broker has acknowledged it to us.
        await dispatcher.cleared(task.id);
        here = dispatcher.find(task.id);
      }
      if (here) {
        await this.#duplicate(
          task,
          origin,
          `this task is already ${here.state} (worker ${this.#options.workerId})`,
        );
        return;
      }
      const { judgement, seen } = await board.look(task.id, {
        ...origin,
        signedAt: task.signature?.issuedAt ?? null,
        isScheduled: task.isScheduled,
      });
      if (judgement !== "take") {
        await this.#duplicate(
          task,
          origin,
          duplicateOf(seen!.status, this.#options),
        );
        return;
      }
      const refusal = task.refusal ??
        await runner.refusal(task.request);
      const able = task.lacksTemplate
        ? await this.#options.workerWithTemplate(task)
        : null;
      if (refusal && !able) {
        await this.#turnAway(task, refusal, { origin, seen });
        return;
      }
      await place.earlier;
      const reserve = () => queue.reserve(dispatcher.emptySlots);
      reserved ||= !able && reserve();
      const peer = able ??
        (reserved
          ? this.#options.workerId
          : await this.#options.workerWithRoom(task, reserve));
      const isHere = peer === this.#options.workerId;
      reserved ||= isHere;
      if (!peer) {
        place.taken();
        await this.#turnAway(task, this.#full(), { origin, seen });
        return;
      }
      task.queue();
      const taking = board.take(task);
      place.taken();
      if (!await taking) {
        log.info("another worker was quicker to take the task", {
          task_id: task.id,
        });
        await this.#duplicate(task, origin, QUICKER);
        return;
      }
      if (!isHere) {
        if (await this.#options.offer(task, peer)) {
          board.forget(task.id);
          await task.delivery.release();
        } else await this.#refuse(task, refusal ?? this.#full());
        return;
      }
      log.info("the task is queued", {
        task_id: task.id,
        playbook: task.request.playbook,
      });
      dispatcher.put(task);
      reserved = false;
      // A final status that stood there was the answer to the cancel.
      if (seen?.status.completed_at) cancelling.forget(task.id);
      else cancelling.applyRemembered(task.id);
    } finally {
      if (reserved) {
        queue.giveBack();
        dispatcher.changed();
      }
    }
  }

  #full(): string {
    return `queue full (${this.#options.queueCapacity})`;
  }

  /**
   * Refuses a task that is not taken. Where a holder's status stood, the holder
   * may have taken the task back meanwhile, and end it itself: so only whoever
   * has the task refuses it.
   */
  async #turnAway(
    task: Task,
    error: string,
    { origin, seen }: { origin: Origin; seen: PublishedStatus | null },
  ): Promise<void> {
    if (seen?.status.state === "queued") {
      task.queue();
      if (!await this.#options.board.take(task)) {
        await this.#duplicate(task, origin, QUICKER);
        return;
      }
    }
    await this.#refuse(task, error);
  }

  /** Refuses a task that nobody else has. */
  async #refuse(task: Task, error: string): Promise<void> {
    const { board, log, rationed } = this.#options;
    task.end({ state: "failed", error });
    this.#options.observer?.refused();
    rationed.warn(`the task is refused: ${error}`, { task_id: task.id });
    await board.publish(task).catch((error) =>
      log.error("cannot publish the final status", { task_id: task.id, error })
    );
    await task.delivery.release();
    board.forget(task.id);
  }

  async #duplicate(
    task: Task,
    origin: Origin,
    message: string,
  ): Promise<void> {
    if (origin.redelivered || origin.from !== null || task.isScheduled) {
      this.#options.log.debug("a copy of a task that has moved on is dropped", {
        task_id: task.id,
      });
      await task.delivery.release();
      return;
    }
    await this.#reject(task.delivery, {
      task_id: task.id,
      reason: "duplicate",
      errors: [{ path: "task_id", message }],
    }, task.response);
  }

  async #reject(
    delivery: Delivery,
    rejection: Rejection,
    response: Response | null,
  ): Promise<void> {
    await this.#options.rejections.report(
      delivery.payload,
      rejection,
      response,
    );
    await delivery.release();
  }
}

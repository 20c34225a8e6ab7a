/**
 * From a delivery to the queue: opening it, reading it, looking whether the
 * group has had it, refusing what cannot be run, and taking the task.
 *
 * Whatever becomes of a delivery, it is released only after what it became is
 * acknowledged by the broker.
 *
 * @module
 */
import type { Rejected } from "../messages/rejected.ts";
import { excerpt } from "../messages/rejected.ts";
import type { RememberedCancels } from "./cancels.ts";
import type { Dispatcher } from "./dispatcher.ts";
import type { LogRation } from "./log_ration.ts";
import { type Arrival, type Sighting } from "./duplicates.ts";
import type { TaskObserver } from "./observer.ts";
import type { Channel, Delivery, Log, Runner } from "./ports.ts";
import type { TaskQueue } from "./queue.ts";
import type { StatusBoard } from "./status_board.ts";
import { Task } from "./task.ts";
import type { RequestOpener } from "./request_opener.ts";
import type { Response, Responses } from "./responses.ts";

/**
 * The most that may wait for its report to be acknowledged, in bytes of the
 * messages. Brokers send more at once than they were asked to when much comes,
 * and who floods a group with bad messages is not owed a report of each.
 */
const MOST_REPORTED_BYTES = 16 * 1024 * 1024;

/** What a message takes beside its bytes, and its report. */
const REPORT_BYTES = 8192;

/** How a delivery came here, and what it brings along. */
export interface Origin extends Arrival {
  /** When the first worker accepted it. */
  createdAt: Date | null;
  /** How often it has been handed over. */
  hops: number;
}

/** What the acceptance needs. */
export interface AcceptanceOptions {
  /** This worker. */
  workerId: string;
  /** The tasks that wait here. */
  queue: TaskQueue;
  /** How many tasks may wait. */
  queueCapacity: number;
  /** What does not fit is left with the broker until there is room. */
  waitForRoom: boolean;
  /** The queue and the slots. */
  dispatcher: Dispatcher;
  /** The statuses of this worker's tasks. */
  board: StatusBoard;
  /** What runs playbooks. */
  runner: Runner;
  /** Cancels that came before their tasks. */
  cancels: RememberedCancels;
  /** The control connection. */
  channel: Channel;
  /** Opens requests. */
  opener: RequestOpener;
  /** Answers where requesters want them. */
  responses: Responses;
  /** Where discarded messages are reported. */
  rejectedTopic: string;
  /** Where to write what happens. */
  log: Log;
  /** Is told what is refused or rejected. */
  observer?: TaskObserver;
  /** Where to write what strangers have caused. */
  rationed: LogRation;
  /**
   * Who has room for a task that does not fit here: a peer, or this worker, if
   * `reserve` has kept a place after all.
   */
  workerWithRoom(task: Task, reserve: () => boolean): Promise<string | null>;
  /** Offers a task to a peer; false if it is still ours. */
  offer(task: Task, peer: string): Promise<boolean>;
}

/** What is wrong with a message. */
type Problem = Pick<Rejected, "task_id" | "reason" | "errors">;

/** The way in. */
export class Acceptance {
  readonly #options: AcceptanceOptions;
  /** Deliveries that are neither accepted nor released yet. */
  readonly #current = new Set<Promise<void>>();
  /** The last delivery of each id that is being accepted. */
  readonly #inHand = new Map<string, Promise<void>>();
  /** Deliveries that wait for room; the broker still owns them. */
  readonly #waiting: (() => void)[] = [];
  /** Bytes of messages whose reports are under way. */
  #reportedBytes = 0;
  /** Settles when everything that has come so far is opened. */
  #opened: Promise<unknown> = Promise.resolve();
  /** Settles when everything that has come so far has its place. */
  #placed: Promise<unknown> = Promise.resolve();

  /** Accepts nothing by itself. */
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
      }, opener.keys ? null : responses.to(delivery.properties));
      return;
    }
    // Opened side by side, and taken on as they came.
    const opening = opener.open(delivery.payload, origin);
    const opened = this.#opened.then(() => opening);
    this.#opened = opened.catch(() => {});
    const message = await opened;
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
    // Two deliveries of one id at once take their turns.
    const before = this.#inHand.get(task.id);
    // All are looked at side by side, and get their places as they came.
    const place = Promise.withResolvers<void>();
    const turn = { earlier: this.#placed, taken: place.resolve };
    this.#placed = Promise.all([turn.earlier, place.promise]);
    const now = (async () => {
      await before?.catch(() => {});
      await this.#accept(task, { origin, turn });
    })().finally(turn.taken);
    this.#inHand.set(task.id, now);
    await now.finally(() => {
      if (this.#inHand.get(task.id) === now) this.#inHand.delete(task.id);
    });
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
    { origin, turn }: {
      origin: Origin;
      turn: { earlier: Promise<unknown>; taken(): void };
    },
  ): Promise<void> {
    const { board, dispatcher, log, queue, runner, waitForRoom } =
      this.#options;
    let reserved = waitForRoom;
    try {
      let here = dispatcher.find(task.id);
      if (!here || here.final) {
        // Its end can be read before the broker has acknowledged it to us.
        await dispatcher.left(task.id);
        here = dispatcher.find(task.id);
      }
      if (here) {
        await this.#duplicate(task, origin, {
          state: here.state,
          worker_id: this.#options.workerId,
        });
        return;
      }
      const { judgement, seen } = await board.look(task.id, {
        ...origin,
        signedAt: task.signature?.issuedAt ?? null,
      });
      if (judgement !== "take") {
        await this.#duplicate(task, origin, seen!.status);
        return;
      }
      const refusal = await runner.refusal(task.request);
      if (refusal) {
        await this.#turnAway(task, refusal, { origin, seen });
        return;
      }
      await turn.earlier;
      const reserve = () => queue.reserve(dispatcher.emptySlots);
      reserved ||= reserve();
      const peer = reserved
        ? this.#options.workerId
        : await this.#options.workerWithRoom(task, reserve);
      reserved ||= peer === this.#options.workerId;
      if (!peer) {
        turn.taken();
        await this.#turnAway(task, this.#full(), { origin, seen });
        return;
      }
      task.queue();
      const taking = board.take(task);
      turn.taken();
      if (!await taking) {
        log.info("another worker was quicker to take the task", {
          task_id: task.id,
        });
        await this.#duplicate(task, origin, null);
        return;
      }
      if (!reserved) {
        if (await this.#options.offer(task, peer)) {
          board.forget(task.id);
          await task.delivery.release();
        } else await this.#refuse(task, this.#full());
        return;
      }
      log.info("the task is queued", {
        task_id: task.id,
        playbook: task.request.playbook,
      });
      dispatcher.put(task);
      reserved = false;
      this.#cancelIfAsked(task, seen);
    } finally {
      if (reserved) {
        queue.giveBack();
        this.update();
      }
    }
  }

  /** Applies a cancel that came before the task did. */
  #cancelIfAsked(task: Task, seen: Sighting | null): void {
    const reason = this.#options.cancels.take(task.id);
    // A final status that stood there was the answer to the cancel.
    if (reason === null || seen?.status.completed_at) return;
    this.#options.dispatcher.cancel(task.id, reason);
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
    { origin, seen }: { origin: Origin; seen: Sighting | null },
  ): Promise<void> {
    if (seen?.status.state === "queued") {
      task.queue();
      if (!await this.#options.board.take(task)) {
        await this.#duplicate(task, origin, null);
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
    present: { state: string; worker_id: string } | null,
  ): Promise<void> {
    if (origin.redelivered || origin.from !== null) {
      this.#options.log.debug("a copy of a task that has moved on is dropped", {
        task_id: task.id,
      });
      await task.delivery.release();
      return;
    }
    await this.#reject(task.delivery, {
      task_id: task.id,
      reason: "duplicate",
      errors: [{
        path: "task_id",
        message: present
          ? `this task is already ${present.state} (worker ${present.worker_id})`
          : "another worker has taken this task at the same moment",
      }],
    }, task.response);
  }

  async #reject(
    delivery: Delivery,
    problem: Problem,
    response: Response | null,
  ): Promise<void> {
    await this.report(delivery.payload, problem, response);
    await delivery.release();
  }

  /**
   * Tells the group of a message that was discarded, and why; in a flood, only
   * the log does.
   *
   * @param response where to tell it too
   */
  async report(
    payload: Uint8Array,
    problem: Problem,
    response: Response | null = null,
  ): Promise<void> {
    const { channel, log, observer, rationed, rejectedTopic, responses } =
      this.#options;
    const { workerId } = this.#options;
    observer?.rejected(problem.reason);
    const bytes = payload.length + REPORT_BYTES;
    const isFlood = this.#reportedBytes + bytes > MOST_REPORTED_BYTES;
    rationed.warn(`a message is rejected: ${problem.reason}`, {
      ...(problem.task_id && { task_id: problem.task_id }),
      ...(isFlood && { reported: false }),
      errors: problem.errors.map(({ path, message }) =>
        path ? `${path}: ${message}` : message
      ).join("; "),
    });
    if (isFlood) return;
    const rejected: Rejected = {
      received_at: new Date().toISOString(),
      worker_id: workerId,
      ...problem,
      payload_excerpt: excerpt(payload),
    };
    this.#reportedBytes += bytes;
    const text = JSON.stringify(rejected);
    if (response) {
      responses.send(response, { payload: text, about: "rejected" });
    }
    await channel.publish({
      topic: rejectedTopic,
      payload: text,
      qos: 1,
    }).catch((error) => log.error("cannot publish a rejection", { error }))
      .finally(() => this.#reportedBytes -= bytes);
  }
}

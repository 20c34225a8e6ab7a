/**
 * From a delivery to the queue: opening it, reading it, looking whether the
 * group has had it, refusing what cannot be run, and taking the task.
 *
 * Whatever becomes of a delivery, it is answered only after the broker has
 * acknowledged what it became: a task is its record, its `queued` status, and
 * then the answer.
 *
 * | killed after | what becomes of the request |
 * | --- | --- |
 * | nothing | it is delivered again, and accepted |
 * | the record | the record is judged as a request that has just come; what is delivered again is the same task |
 * | `queued` | it waits again; what is delivered again is known, and dropped |
 * | the answer | it waits again |
 *
 * @module
 */
import { pause } from "../deadline.ts";
import type { Delivery } from "../messages/packets.ts";
import { idFault, partOf, requestFor } from "./addressee.ts";
import { ArrivalOrder, type Place } from "./arrival_order.ts";
import type { Cancelling } from "./cancelling.ts";
import type { Dispatcher } from "./dispatcher.ts";
import { duplicateOf } from "./duplicates.ts";
import type { LeftBehind } from "./left_behind.ts";
import type { LogRation } from "./log_ration.ts";
import type { TaskObserver } from "./observer.ts";
import type { Origin } from "./origin.ts";
import type { Log, Runner } from "./ports.ts";
import type { PublishedStatus } from "./published_status.ts";
import type { TaskQueue } from "./queue.ts";
import type { Records } from "./records.ts";
import type { Rejection, Rejections } from "./rejections.ts";
import { isRefusal, Refusals } from "./refusals.ts";
import type { Look, StatusBoard } from "./status_board.ts";
import { Task } from "./task.ts";
import type { RequestOpener } from "./request_opener.ts";
import type { Response, Responses } from "./responses.ts";
import type { Turns } from "./turns.ts";

/** Where a killing test may stop the process. */
export type AcceptanceStep = "recorded" | "queued" | "answered";

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
  runner: Pick<Runner, "refusal">;
  /** Has cancels that came before their tasks. */
  cancelling: Pick<Cancelling, "applyRemembered" | "forget">;
  records: Records;
  opener: RequestOpener;
  turns: Turns;
  leftBehind: Pick<LeftBehind, "end">;
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
  /** A task for which a peer was found is offered to nobody any more. */
  settled(taskId: string): void;
  /** Whether what the others have, or have had, is known by the broker. */
  isCertain(): boolean;
  /** Settles when it is. */
  untilCertain(): Promise<void>;
  /** Called after each step. */
  onStep?(step: AcceptanceStep): void;
}

/** Why a task is refused whose record the broker does not take. */
const TOO_LARGE =
  "with what is kept of it, the request is larger than a packet that the broker takes";

/** What is said to whoever has lost the race for a task. */
const QUICKER = "another worker has taken this task at the same moment";

/** The way in. */
export class Acceptance {
  readonly #options: AcceptanceOptions;
  /** Deliveries that are not answered yet. */
  readonly #current = new Set<Promise<void>>();
  readonly #order: ArrivalOrder;
  /** Tasks that came from their requesters, not from a peer or a record. */
  readonly #firstHand = new WeakMap<Task, Delivery>();
  /** Deliveries that wait for room; the broker still owns them. */
  readonly #waiting: (() => void)[] = [];

  constructor(options: AcceptanceOptions) {
    this.#options = options;
    this.#order = new ArrivalOrder(options.turns);
  }

  /** Settles when everything that has come so far is answered. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#current);
  }

  /**
   * Takes care of a delivery.
   *
   * @returns settles when it is answered; never rejects
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
      opener.open(delivery.payload, {
        ...origin,
        part: partOf(origin, this.#options.workerId),
      }),
    );
    if (!message.ok) {
      const { report, trusted } = message;
      if (report) {
        // A stranger gets no answer: it could be one to somebody else.
        const response = trusted ? responses.to(delivery.properties) : null;
        await this.#reject(delivery, report, response);
      } else delivery.answer();
      return;
    }
    const { workerId } = this.#options;
    const request = requestFor(message.request, { to: origin.to, workerId });
    const fault = idFault(request, { workerId });
    if (fault !== null) {
      await this.#reject(delivery, {
        task_id: message.request.request.task_id,
        reason: "invalid_request",
        errors: [{ path: "task_id", message: fault }],
      }, responses.to(delivery.properties));
      return;
    }
    await this.#ready();
    const task = new Task(request, delivery, {
      ...origin,
      signature: message.signature,
      response: responses.to(delivery.properties, {
        task_id: request.request.task_id,
      }),
    });
    if (origin.from === null) this.#firstHand.set(task, delivery);
    const accept = () =>
      this.#order.enter(
        task.id,
        (place) => this.#accept(task, { delivery, origin, place }),
      );
    // What others wait for is not kept meanwhile.
    while (!await accept()) await this.#ready();
  }

  /**
   * A task that was accepted here is lost to a worker that had accepted a
   * request with its id before: this one was a duplicate.
   */
  async lostRace(task: Task): Promise<void> {
    const delivery = this.#firstHand.get(task);
    // What somebody else may have had before is the same request, not another.
    if (!delivery || delivery.redelivered || task.isScheduled) return;
    await this.#options.rejections.report(
      task.message.payload,
      duplicate(task, QUICKER),
      task.response,
    );
  }

  /** Somebody may fit in who has waited for it; call it on every change. */
  update(): void {
    const { dispatcher, queue } = this.#options;
    while (this.#waiting.length > 0 && queue.reserve(dispatcher.emptySlots)) {
      this.#waiting.shift()!();
    }
  }

  /** Settles when there is room, and what stands at the broker is certain. */
  async #ready(): Promise<void> {
    const { untilCertain, waitForRoom } = this.#options;
    if (waitForRoom) await this.#room();
    // The connection may have been lost since it came.
    await untilCertain();
  }

  /** Settles when a place is reserved. */
  #room(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.push(resolve);
    this.update();
    return promise;
  }

  /**
   * @returns false if it has to be done again: the broker may have forgotten
   * while it was looked
   */
  async #accept(
    task: Task,
    { delivery, origin, place }: {
      delivery: Delivery;
      origin: Origin;
      place: Place;
    },
  ): Promise<boolean> {
    const { board, cancelling, dispatcher, isCertain, log, onStep, queue } =
      this.#options;
    const { leftBehind, records, runner, waitForRoom } = this.#options;
    const dropDuplicate = (message: string) =>
      this.#duplicate(task, { delivery, origin, message });
    let reserved = waitForRoom;
    let isElsewhere = false;
    try {
      let here = dispatcher.find(task.id);
      if (!here || here.final) {
        // Its end can be read before the broker has acknowledged it to us.
        await dispatcher.cleared(task.id);
        here = dispatcher.find(task.id);
      }
      if (here) {
        await dropDuplicate(
          `this task is already ${here.state} (worker ${this.#options.workerId})`,
        );
        return true;
      }
      // Both take a while, and neither needs the other.
      const [look, refused] = await Promise.all([
        this.#look(task, { delivery, origin, place }),
        task.refusal ?? runner.refusal(task.request),
      ]);
      if (!isCertain()) {
        board.forget(task.id);
        return false;
      }
      const { judgement, seen } = look;
      if (judgement === "left behind") {
        await leftBehind.end(task.id, seen!);
      }
      if (judgement !== "take") {
        await dropDuplicate(duplicateOf(seen!.status, this.#options));
        return true;
      }
      const holder = holderOf(seen, origin);
      let refusal = refused;
      const notHere = refusal ?? this.#full();
      let peer = task.lacksTemplate
        ? await this.#options.workerWithTemplate(task)
        : null;
      if (peer !== null) refusal = null;
      if (refusal === null) {
        await place.earlier;
        if (peer === null) {
          const reserve = () => queue.reserve(dispatcher.emptySlots);
          reserved ||= reserve();
          peer = reserved
            ? this.#options.workerId
            : await this.#options.workerWithRoom(task, reserve);
        }
        if (peer === null) refusal = this.#full();
      }
      const isHere = peer === this.#options.workerId;
      isElsewhere = peer !== null && !isHere;
      reserved ||= isHere;
      if (refusal !== null && holder === null) {
        place.taken();
        await this.#refuse(task, refusal);
        delivery.answer();
        return true;
      }
      // What somebody else has had is taken over before it is refused, so that
      // one alone ends it.
      task.queue();
      const stored = records.store(task);
      // A holder that sees the task taken over removes its own record.
      if (origin.from !== null) await stored;
      const taking = board.take(task, holder);
      place.taken();
      if (!await stored) refusal ??= TOO_LARGE;
      onStep?.("recorded");
      if (!await taking) {
        log.info("another worker was quicker to take the task", {
          task_id: task.id,
        });
        records.remove(task.id);
        await dropDuplicate(QUICKER);
        return true;
      }
      onStep?.("queued");
      if (refusal !== null || !isHere) {
        if (refusal !== null) await this.#refuse(task, refusal);
        else if (await this.#options.offer(task, peer!)) board.forget(task.id);
        else await this.#refuse(task, notHere);
        records.remove(task.id);
        delivery.answer();
        return true;
      }
      delivery.answer();
      onStep?.("answered");
      log.info("the task is queued", {
        task_id: task.id,
        playbook: task.request.playbook,
      });
      dispatcher.put(task);
      reserved = false;
      // A final status that stood there was the answer to the cancel.
      if (seen?.status.completed_at) cancelling.forget(task.id);
      else cancelling.applyRemembered(task.id);
      return true;
    } finally {
      // One that waits here may be on its way to another peer by now.
      if (isElsewhere) this.#options.settled(task.id);
      if (reserved) {
        queue.giveBack();
        dispatcher.changed();
      }
    }
  }

  /**
   * Looks at the status of a task, again and again if the broker refuses that.
   * What came later goes on meanwhile; only its answers wait.
   */
  async #look(
    task: Task,
    { delivery, origin, place }: {
      delivery: Delivery;
      origin: Origin;
      place: Place;
    },
  ): Promise<Look> {
    const { board, log } = this.#options;
    const refusals = new Refusals();
    for (;;) {
      try {
        return await board.look(task.id, () => ({
          from: origin.from,
          redelivered: delivery.redelivered,
          signedAt: task.signature?.issuedAt ?? null,
          isScheduled: task.isScheduled,
        }));
      } catch (error) {
        board.forget(task.id);
        if (!isRefusal(error)) throw error;
        place.taken();
        const { isFirst, waitMs } = refusals.next();
        if (isFirst) {
          log.error("cannot look at the status of a task; tried again", {
            task_id: task.id,
            error,
          });
        }
        await pause(waitMs);
      }
    }
  }

  #full(): string {
    return `queue full (${this.#options.queueCapacity})`;
  }

  async #refuse(task: Task, error: string): Promise<void> {
    const { board, observer, rationed } = this.#options;
    task.end({ state: "failed", error });
    observer?.refused();
    rationed.warn(`the task is refused: ${error}`, { task_id: task.id });
    await board.end(task);
  }

  async #duplicate(
    task: Task,
    { delivery, origin, message }: {
      delivery: Delivery;
      origin: Origin;
      message: string;
    },
  ): Promise<void> {
    if (delivery.redelivered || origin.from !== null || task.isScheduled) {
      this.#options.log.debug("a copy of a task that has moved on is dropped", {
        task_id: task.id,
      });
      delivery.answer();
      return;
    }
    await this.#reject(delivery, duplicate(task, message), task.response);
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
    delivery.answer();
  }
}

function duplicate(task: Task, message: string): Rejection {
  return {
    task_id: task.id,
    reason: "duplicate",
    errors: [{ path: "task_id", message }],
  };
}

/**
 * The token of the holder that a task is taken over from, or of the one that had
 * the id before; null for nobody.
 */
function holderOf(seen: PublishedStatus | null, origin: Origin): string | null {
  return (seen?.token ?? origin.from) || null;
}

/**
 * A request on its way: from publishing it to the task's end.
 *
 * It is **published** first; then **taken**, when a worker publishes a status
 * of it; and has its **result** when that status is a final one, when a worker
 * rejects the request, or when nobody is there to take it.
 *
 * @module
 */
import { eventSchema, type TaskEvent } from "../messages/event.ts";
import type { Incoming, Outgoing } from "../messages/packets.ts";
import { readAs } from "../messages/presence.ts";
import {
  excerpt,
  type Rejected,
  rejectedSchema,
} from "../messages/rejected.ts";
import type { TaskStatus } from "../messages/task_status.ts";
import type { Topics } from "../messages/topics.ts";
import { GroupView } from "./group_view.ts";
import { RequestError } from "./request.ts";

/** How long a worker may take to answer before its group is looked at, in ms. */
const ANSWER_MS = 5000;

/** What became of a request. */
export type SubmissionResult =
  | { kind: "ended"; status: TaskStatus }
  | { kind: "rejected"; rejected: Rejected }
  | { kind: "not_taken"; reason: string };

/** What happens to a request. */
export interface SubmissionEvents {
  /** A status of the task. */
  onStatus(status: TaskStatus): void;
  /** An event of the run. */
  onEvent(event: TaskEvent): void;
  /** What the request waits for. */
  onWaiting(reason: string): void;
}

const looseEvent = eventSchema.loose();
const looseRejected = rejectedSchema.loose();

/** Something on its way, whomever it was asked of. */
export interface OnItsWay {
  /** What to subscribe to, before it is published. */
  readonly topics: readonly string[];
  /** Settles when a worker has it. */
  readonly taken: Promise<void>;
  /** Settles with what became of it, and of each worker's part. */
  readonly result: Promise<SubmissionResult | EveryonesResult>;
  /** Takes note of a message. */
  receive(message: Incoming): void;
  /** Publishes the request, and settles when the broker has it. */
  publish(
    channel: { publish(message: Outgoing): Promise<void> },
  ): Promise<void>;
}

/** What became of a request for everyone. */
export interface EveryonesResult {
  kind: "everyone";
  /** By worker. */
  parts: ReadonlyMap<string, SubmissionResult>;
}

/** A request on its way to one worker. */
export class Submission implements OnItsWay {
  /** What to subscribe to, before it is published. */
  readonly topics: readonly string[];
  readonly #topics: Topics;
  readonly #taskId: string;
  readonly #payload: string;
  /** The only one that may run it; null for any. */
  readonly #worker: string | null;
  readonly #events: SubmissionEvents;
  readonly #view: GroupView;
  readonly #excerpt: string;
  readonly #taken = Promise.withResolvers<void>();
  readonly #result = Promise.withResolvers<SubmissionResult>();
  #isPublished = false;
  /** When the task was created that had this id before. */
  #previousCreatedAt: string | null = null;
  #isTaken = false;
  #unansweredChecks = 0;

  /** It is not published yet. */
  constructor(
    request: {
      topics: Topics;
      taskId: string;
      payload: string;
      worker?: string | undefined;
    },
    events: SubmissionEvents,
  ) {
    const { topics, taskId, payload } = request;
    this.#topics = topics;
    this.#taskId = taskId;
    this.#payload = payload;
    this.#worker = request.worker ?? null;
    this.#events = events;
    this.#view = new GroupView(topics);
    this.#excerpt = excerpt(new TextEncoder().encode(payload));
    this.topics = [
      topics.status(taskId),
      topics.events(taskId),
      topics.rejected,
      topics.allPresences,
      topics.allLoads,
    ];
  }

  /** Settles when a worker has it. */
  get taken(): Promise<void> {
    return this.#taken.promise;
  }

  /** Settles with what became of it. */
  get result(): Promise<SubmissionResult> {
    return this.#result.promise;
  }

  /** Takes note of a message. */
  receive(message: Incoming): void {
    const about = this.#topics.parse(message.topic);
    if (about?.kind === "rejected") this.#onRejected(message);
    else if (about?.kind === "events") {
      const event = readAs(looseEvent, message.payload);
      if (event && this.#isTaken) this.#events.onEvent(event);
    } else {
      const change = this.#view.receive(message);
      if (change?.kind === "status") this.#onStatus(change.status);
    }
  }

  /**
   * Publishes the request, and settles when the broker has it.
   *
   * @throws {PublishError} the broker refuses it
   * @throws {RequestError} it is for a worker that there is not
   */
  async publish(
    channel: { publish(message: Outgoing): Promise<void> },
  ): Promise<void> {
    const topic = this.#worker === null
      ? this.#topics.tasks
      : this.#topics.inbox(this.#worker);
    if (this.#worker !== null) this.#expectWorker(this.#worker);
    this.#isPublished = true;
    await channel.publish({
      topic,
      payload: this.#payload,
      qos: 2,
      onNobody: () =>
        this.#giveUp(
          `the broker says that nobody is subscribed to ${topic}: the request is lost. ${COMPARE_ADVICE}`,
        ),
    });
    if (this.#isTaken) return;
    const timer = setInterval(() => this.#checkWorkers(), ANSWER_MS);
    const stopChecking = () => clearInterval(timer);
    this.#taken.promise.then(stopChecking);
    this.#result.promise.then(stopChecking);
  }

  #onStatus(status: TaskStatus): void {
    if (!this.#isPublished) this.#previousCreatedAt = status.created_at;
    // One with the same id that was there before; if it is still there, the
    // request is going to be rejected.
    if (status.created_at === this.#previousCreatedAt) return;
    this.#isTaken = true;
    this.#events.onStatus(status);
    this.#taken.resolve();
    if (status.completed_at !== null) {
      this.#result.resolve({ kind: "ended", status });
    }
  }

  #onRejected({ payload, retained }: Incoming): void {
    const rejected = readAs(looseRejected, payload);
    // What is rejected when we are taken is somebody's copy of the request.
    if (!rejected || retained || !this.#isPublished || this.#isTaken) return;
    // Of a message that cannot be trusted or read the id is not told, and a
    // cancel of the task is not the request.
    const isOurs = rejected.payload_excerpt === this.#excerpt &&
      [this.#taskId, null].includes(rejected.task_id);
    if (isOurs) this.#result.resolve({ kind: "rejected", rejected });
  }

  #expectWorker(id: string): void {
    const presence = this.#view.presences.get(id);
    if (presence && presence.state !== "adopted") return;
    const online = this.#view.online().map(({ worker_id }) => worker_id);
    throw new RequestError(
      `--worker: ${
        presence ? `worker "${id}" is gone` : `no worker "${id}" is known`
      } in ${this.#topics.group}; online: ${online.join(", ") || "none"}`,
    );
  }

  /** Nobody has answered so far: says which workers could. */
  #checkWorkers(): void {
    const mayRun = ({ worker_id }: { worker_id: string }) =>
      this.#worker === null || worker_id === this.#worker;
    const workers = this.#view.workers().filter(mayRun);
    const online = this.#view.online().filter(mayRun)
      .map(({ worker_id }) => worker_id);
    const { group } = this.#topics;
    const [one] = workers;
    if (this.#worker !== null && one?.state === "offline") {
      this.#events.onWaiting(
        `${one.worker_id} is offline; the request waits with the broker for its return, as long as its session lasts`,
      );
      return;
    }
    if (workers.length === 0) {
      this.#giveUp(
        `no worker has ever been seen in ${group}. ${COMPARE_ADVICE}`,
      );
    } else if (online.length === 0) {
      const states = workers.map(({ worker_id, state }) =>
        `${worker_id} is ${state}`
      );
      this.#giveUp(
        `no worker of ${group} is online: ${states.join(", ")}. ` +
          `The broker may keep the request for one that comes back; "ansible-worker cancel ${this.#taskId}" prevents that.`,
      );
    } else if (online.every((id) => this.#view.isFull(id))) {
      this.#events.onWaiting(
        online.length === 1
          ? `${
            online[0]
          } is busy, and its queue is full; the task waits with the broker`
          : `all ${online.length} workers are busy, and their queues are full; the task waits with the broker`,
      );
    } else if (this.#unansweredChecks++ === 0) {
      this.#events.onWaiting(`no answer yet from ${online.join(", ")}`);
    } else {
      this.#giveUp(
        `${online.join(", ")}: online, but no answer was received. ` +
          `Look at the worker's log, and whether the broker lets this user write ${this.#topics.tasks} and read ${
            this.#topics.status(this.#taskId)
          }.`,
      );
    }
  }

  #giveUp(reason: string): void {
    // One that has left again may have taken it.
    if (this.#isTaken) return;
    this.#result.resolve({ kind: "not_taken", reason });
  }
}

const COMPARE_ADVICE =
  "Is a worker running? Compare its mqtt.host, group_name and topic_prefix with what this client uses.";

/**
 * A request on its way: from publishing it to the task's end.
 *
 * It is **published** first; then **taken**, when a worker publishes a status
 * of it; and **over**, when that status is a final one, when a worker rejects
 * the request, or when nobody is there to take it.
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

/** How long a worker may take to answer before we look who is there. */
const PATIENCE_MS = 5000;

/** How it is over. */
export type Over =
  | { kind: "ended"; status: TaskStatus }
  | { kind: "rejected"; rejected: Rejected }
  | { kind: "unheard"; why: string };

/** What happens to a request. */
export interface SubmissionEvents {
  /** A status of the task. */
  onStatus(status: TaskStatus): void;
  /** An event of the run. */
  onEvent(event: TaskEvent): void;
  /** Why nothing happens yet. */
  onWaiting(why: string): void;
}

const looseEvent = eventSchema.loose();
const looseRejected = rejectedSchema.loose();

/** A request on its way. */
export class Submission {
  /** What to subscribe to, before it is published. */
  readonly topics: readonly string[];
  readonly #topics: Topics;
  readonly #taskId: string;
  readonly #payload: string;
  readonly #events: SubmissionEvents;
  readonly #view: GroupView;
  readonly #excerpt: string;
  readonly #taken = Promise.withResolvers<void>();
  readonly #over = Promise.withResolvers<Over>();
  #isPublished = false;
  /** When the task was created that had this id before. */
  #before: string | null = null;
  #isTaken = false;
  #silences = 0;

  /** It is not published yet. */
  constructor(
    request: { topics: Topics; taskId: string; payload: string },
    events: SubmissionEvents,
  ) {
    const { topics, taskId, payload } = request;
    this.#topics = topics;
    this.#taskId = taskId;
    this.#payload = payload;
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

  /** Settles when it is over. */
  get over(): Promise<Over> {
    return this.#over.promise;
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
   */
  async publish(
    channel: { publish(message: Outgoing): Promise<void> },
  ): Promise<void> {
    this.#isPublished = true;
    await channel.publish({
      topic: this.#topics.tasks,
      payload: this.#payload,
      qos: 2,
      onNobody: () =>
        this.#unheard(
          `the broker says that nobody is subscribed to ${this.#topics.tasks}: the request is lost. ${COMPARE}`,
        ),
    });
    if (this.#isTaken) return;
    const timer = setInterval(() => this.#lookAround(), PATIENCE_MS);
    const enough = () => clearInterval(timer);
    this.#taken.promise.then(enough);
    this.#over.promise.then(enough);
  }

  #onStatus(status: TaskStatus): void {
    if (!this.#isPublished) this.#before = status.created_at;
    // One with the same id that was there before; if it is still there, the
    // request is going to be rejected.
    if (status.created_at === this.#before) return;
    this.#isTaken = true;
    this.#events.onStatus(status);
    this.#taken.resolve();
    if (status.completed_at !== null) {
      this.#over.resolve({ kind: "ended", status });
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
    if (isOurs) this.#over.resolve({ kind: "rejected", rejected });
  }

  /** Nobody has answered so far: who could? */
  #lookAround(): void {
    const workers = this.#view.workers();
    const online = this.#view.online().map(({ worker_id }) => worker_id);
    const { group } = this.#topics;
    if (workers.length === 0) {
      this.#unheard(`no worker has ever been seen in ${group}. ${COMPARE}`);
    } else if (online.length === 0) {
      const states = workers.map(({ worker_id, state }) =>
        `${worker_id} is ${state}`
      );
      this.#unheard(
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
    } else if (this.#silences++ === 0) {
      this.#events.onWaiting(`no answer yet from ${online.join(", ")}`);
    } else {
      this.#unheard(
        `${online.join(", ")}: online, but no answer has come. ` +
          `Look at the worker's log, and whether the broker lets this user write ${this.#topics.tasks} and read ${
            this.#topics.status(this.#taskId)
          }.`,
      );
    }
  }

  #unheard(why: string): void {
    // One that has left again may have taken it.
    if (this.#isTaken) return;
    this.#over.resolve({ kind: "unheard", why });
  }
}

const COMPARE =
  "Is a worker running? Compare its mqtt.host, group_name and topic_prefix with what this client uses.";

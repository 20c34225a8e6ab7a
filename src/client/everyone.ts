/**
 * A request for everyone on its way: each worker of the group runs it as a task
 * of its own, `<task_id>@<worker_id>`.
 *
 * It has its result when each of those that were there, or only away, when it was
 * published has run it, rejected it, or turned out not to answer. One that is away
 * is waited for until it is back, or the group gives up on it.
 *
 * @module
 */
import { harmless } from "../harmless.ts";
import type { Incoming, Outgoing } from "../messages/packets.ts";
import { type Presence, readAs } from "../messages/presence.ts";
import { excerpt, rejectedSchema } from "../messages/rejected.ts";
import { partId } from "../messages/task_request.ts";
import type { Topics } from "../messages/topics.ts";
import { GroupView } from "./group_view.ts";
import type {
  EveryonesResult,
  OnItsWay,
  SubmissionEvents,
  SubmissionResult,
} from "./submission.ts";

/**
 * How long a worker that is online may take to answer, in milliseconds. Of one
 * that is lost the broker says so 30 s later.
 */
const ANSWER_MS = 45_000;

/** How often it is looked who has not answered, in milliseconds. */
const LOOK_MS = 1000;

const looseRejected = rejectedSchema.loose();

/** The workers that a request for everyone is for: all but those given up. */
export function addressed(workers: readonly Presence[]): string[] {
  return workers.filter(({ state }) => state !== "adopted")
    .map(({ worker_id }) => worker_id);
}

/** A request on its way to everyone. */
export class EveryonesSubmission implements OnItsWay {
  readonly topics: readonly string[];
  readonly #topics: Topics;
  readonly #payload: string;
  readonly #events: Pick<SubmissionEvents, "onStatus" | "onWaiting">;
  readonly #view: GroupView;
  readonly #excerpt: string;
  /** The workers, by the ids of their parts. */
  readonly #workers: ReadonlyMap<string, string>;
  readonly #parts = new Map<string, SubmissionResult>();
  readonly #taken = Promise.withResolvers<void>();
  readonly #result = Promise.withResolvers<EveryonesResult>();
  /** Of each part that was there before: when it was created. */
  readonly #previous = new Map<string, string>();
  /** Since when a worker that is online has not answered. */
  readonly #silentSince = new Map<string, number>();
  #isPublished = false;
  #told = "";

  /**
   * It is not published yet.
   *
   * @param request.workers who is to run it
   */
  constructor(
    { topics, taskId, payload, workers }: {
      topics: Topics;
      taskId: string;
      payload: string;
      workers: readonly string[];
    },
    events: Pick<SubmissionEvents, "onStatus" | "onWaiting">,
  ) {
    this.#topics = topics;
    this.#payload = payload;
    this.#events = events;
    this.#view = new GroupView(topics);
    this.#excerpt = excerpt(new TextEncoder().encode(payload));
    this.#workers = new Map(workers.map((id) => [partId(taskId, id), id]));
    this.topics = [
      ...[...this.#workers.keys()].map((id) => topics.status(id)),
      topics.rejected,
      topics.allPresences,
    ];
  }

  /** See `OnItsWay`. */
  get taken(): Promise<void> {
    return this.#taken.promise;
  }

  /** See `OnItsWay`. */
  get result(): Promise<EveryonesResult> {
    return this.#result.promise;
  }

  /** See `OnItsWay`. */
  receive(message: Incoming): void {
    if (this.#topics.parse(message.topic)?.kind === "rejected") {
      this.#onRejected(message);
      return;
    }
    const change = this.#view.receive(message);
    if (change?.kind !== "status") return;
    const { status } = change;
    const { created_at, completed_at, task_id } = status;
    const worker = this.#workers.get(task_id);
    if (worker === undefined) return;
    if (!this.#isPublished) this.#previous.set(task_id, created_at);
    if (this.#previous.get(task_id) === created_at) return;
    this.#events.onStatus(status);
    this.#taken.resolve();
    if (completed_at !== null) this.#end(worker, { kind: "ended", status });
    else this.#silentSince.set(worker, Infinity);
  }

  /** See `OnItsWay`. */
  async publish(
    channel: { publish(message: Outgoing): Promise<void> },
  ): Promise<void> {
    this.#isPublished = true;
    await channel.publish({
      topic: this.#topics.everyone,
      payload: this.#payload,
      qos: 2,
    });
    const timer = setInterval(() => this.#lookForSilent(), LOOK_MS);
    this.#result.promise.then(() => clearInterval(timer));
  }

  #onRejected({ payload, retained }: Incoming): void {
    const rejected = readAs(looseRejected, payload);
    if (!rejected || retained || !this.#isPublished) return;
    if (rejected.payload_excerpt !== this.#excerpt) return;
    if (![...this.#workers.values()].includes(rejected.worker_id)) return;
    this.#end(rejected.worker_id, { kind: "rejected", rejected });
  }

  #lookForSilent(): void {
    const now = performance.now();
    const waiting: string[] = [];
    for (const worker of this.#workers.values()) {
      if (this.#parts.has(worker)) continue;
      const state = this.#view.presences.get(worker)?.state ?? "gone";
      const since = this.#silentSince.get(worker);
      if (since === Infinity) continue;
      if (state === "offline") {
        this.#silentSince.delete(worker);
        waiting.push(`${worker} (offline)`);
        continue;
      }
      waiting.push(worker);
      if (since === undefined) this.#silentSince.set(worker, now);
      else if (now - since > ANSWER_MS) {
        this.#end(worker, {
          kind: "not_taken",
          reason: `${worker} is ${state}, and no answer was received`,
        });
      }
    }
    const text = waiting.join(", ");
    if (text === this.#told) return;
    this.#told = text;
    if (text !== "") {
      this.#events.onWaiting(harmless(`no answer yet from ${text}`));
    }
  }

  #end(worker: string, result: SubmissionResult): void {
    const before = this.#parts.get(worker);
    if (before && before.kind !== "not_taken") return;
    this.#parts.set(worker, result);
    if (this.#parts.size < this.#workers.size) return;
    this.#result.resolve({ kind: "everyone", parts: this.#parts });
  }
}

/**
 * Cancels on their way: from publishing them to their effects.
 *
 * @module
 */
import { harmless } from "../harmless.ts";
import type { Incoming, Outgoing } from "../messages/packets.ts";
import { readAs } from "../messages/presence.ts";
import {
  excerpt,
  type Rejected,
  rejectedSchema,
} from "../messages/rejected.ts";
import { partId, taskIdSchema } from "../messages/task_request.ts";
import type { TaskStatus } from "../messages/task_status.ts";
import type { Topics } from "../messages/topics.ts";
import { GroupView } from "./group_view.ts";
import { ending } from "./progress.ts";

/** How long the tasks may take to end before it is said which do not, in ms. */
const NOTICE_MS = 5000;

/** How long the tasks may take to end at all, in ms: most runs take less. */
const MAX_WAIT_MS = 60_000;

/** What became of a cancel. */
export interface CancelOutcome {
  /** For a person. */
  text: string;
  /** Whether the task is cancelled. */
  isCancelled: boolean;
  /** The message that says so. */
  message: TaskStatus | Rejected | null;
}

const looseRejected = rejectedSchema.loose();

/** Cancels on their way. */
export class Cancellation {
  /** What to subscribe to, before it runs. */
  readonly topics: readonly string[];
  readonly #topics: Topics;
  readonly #payloads: ReadonlyMap<string, string>;
  readonly #onEnd: (taskId: string, end: CancelOutcome) => void;
  readonly #onWaiting: (taskId: string, text: string) => void;
  readonly #view: GroupView;
  readonly #pending: Set<string>;
  readonly #allEnded = Promise.withResolvers<void>();
  #isUnderWay = false;
  #allCancelled = true;

  /**
   * Cancels nothing yet.
   *
   * @param payloads the cancels, by their task ids
   */
  constructor(
    payloads: ReadonlyMap<string, string>,
    options: {
      topics: Topics;
      onEnd(taskId: string, end: CancelOutcome): void;
      onWaiting(taskId: string, text: string): void;
    },
  ) {
    const { topics } = options;
    this.#topics = topics;
    this.#payloads = payloads;
    this.#onEnd = options.onEnd;
    this.#onWaiting = options.onWaiting;
    this.#view = new GroupView(topics);
    this.#pending = new Set(payloads.keys());
    this.topics = [
      ...[...payloads.keys()].map((id) => topics.status(id)),
      topics.rejected,
      topics.allPresences,
    ];
  }

  /**
   * What else to subscribe to before it runs, when what stands on `topics` has
   * come: of a request for everyone, each worker has a part.
   */
  get partTopics(): string[] {
    return [...this.#payloads.keys()].flatMap((id) => this.#partsOf(id))
      .map((part) => this.#topics.status(part));
  }

  /** The ids that a task's parts would have, if it is not known itself. */
  #partsOf(id: string): string[] {
    if (this.#view.tasks.has(id)) return [];
    return [...this.#view.presences.keys()].map((worker) => partId(id, worker))
      .filter((part) => taskIdSchema.safeParse(part).success);
  }

  /** Takes note of a message. */
  receive(message: Incoming): void {
    if (this.#topics.parse(message.topic)?.kind === "rejected") {
      this.#onRejected(message);
      return;
    }
    const change = this.#view.receive(message);
    if (
      this.#isUnderWay && change?.kind === "status" &&
      change.status.completed_at !== null
    ) this.#onFinal(change.status);
  }

  /**
   * Publishes the cancels, and waits for their effects.
   *
   * @returns whether all are cancelled
   * @throws {PublishError} the broker refuses one
   */
  async run(
    channel: { publish(message: Outgoing): Promise<void> },
  ): Promise<boolean> {
    const wholes = new Map<string, string>();
    for (const id of this.#payloads.keys()) {
      const parts = this.#partsOf(id).filter((part) =>
        this.#view.tasks.has(part)
      );
      if (parts.length > 0) this.#pending.delete(id);
      parts.forEach((part) => this.#pending.add(part));
      [id, ...parts].forEach((one) => wholes.set(one, id));
    }
    for (const id of this.#pending) {
      const status = this.#view.tasks.get(id);
      if (!status || status.completed_at === null) continue;
      this.#end(id, {
        text: `has ended already: ${ending(status)}`,
        isCancelled: status.state === "cancelled",
        message: status,
      });
    }
    this.#isUnderWay = true;
    const asked = new Set([...this.#pending].map((id) => wholes.get(id)!));
    await Promise.all([...asked].map((id) =>
      channel.publish({
        topic: this.#topics.cancel(id),
        payload: this.#payloads.get(id)!,
        qos: 1,
      })
    ));
    const timers = [
      setTimeout(() => this.#reportPending(), NOTICE_MS),
      setTimeout(() => this.#giveUp(), MAX_WAIT_MS),
    ];
    this.#endUnreachable();
    await this.#allEnded.promise;
    timers.forEach(clearTimeout);
    return this.#allCancelled;
  }

  #onFinal(status: TaskStatus): void {
    this.#end(status.task_id, {
      text: harmless(ending(status) + reasonOf(status)),
      isCancelled: status.state === "cancelled",
      message: status,
    });
  }

  #onRejected({ payload }: Incoming): void {
    const rejected = readAs(looseRejected, payload);
    if (!rejected || rejected.task_id === null) return;
    const ours = this.#payloads.get(rejected.task_id);
    if (
      ours === undefined ||
      rejected.payload_excerpt !== excerpt(new TextEncoder().encode(ours))
    ) return;
    const [problem] = rejected.errors;
    const part = partId(rejected.task_id, rejected.worker_id);
    this.#end(this.#pending.has(part) ? part : rejected.task_id, {
      text: harmless(
        `the cancel was rejected by ${rejected.worker_id}: ${
          problem?.message ?? rejected.reason
        }`,
      ),
      isCancelled: false,
      message: rejected,
    });
  }

  /** Ends the wait for tasks that nobody can answer for at the moment. */
  #endUnreachable(): void {
    for (const id of this.#pending) {
      const status = this.#view.tasks.get(id);
      if (!status) {
        this.#end(id, {
          text:
            `no worker of ${this.#topics.group} has published a status of it; if its request arrives within a minute, it is cancelled`,
          isCancelled: false,
          message: null,
        });
        continue;
      }
      const worker = this.#view.presences.get(status.worker_id);
      if (worker?.state !== "offline") continue;
      this.#end(id, {
        text: harmless(
          `${status.state} on ${status.worker_id}, which is offline; the broker keeps the cancel for it, if it keeps its session`,
        ),
        isCancelled: false,
        message: null,
      });
    }
  }

  #reportPending(): void {
    for (const id of this.#pending) {
      const { state, worker_id } = this.#view.tasks.get(id)!;
      this.#onWaiting(
        id,
        harmless(`still ${state} on ${worker_id}; waiting for its end`),
      );
    }
  }

  #giveUp(): void {
    for (const id of this.#pending) {
      const { state, worker_id } = this.#view.tasks.get(id)!;
      this.#end(id, {
        text: harmless(
          `still ${state} on ${worker_id} after ${
            MAX_WAIT_MS / 1000
          } s; look at that worker's log`,
        ),
        isCancelled: false,
        message: null,
      });
    }
  }

  #end(taskId: string, end: CancelOutcome): void {
    if (!this.#pending.delete(taskId)) return;
    this.#allCancelled &&= end.isCancelled;
    this.#onEnd(taskId, end);
    if (this.#pending.size === 0) this.#allEnded.resolve();
  }
}

/** Why it was cancelled; that it was is said already. */
function reasonOf({ error_message }: TaskStatus): string {
  const reason = error_message?.replace(/^cancelled(: |, )?/, "") ?? "";
  return reason === "" ? "" : ` (${reason})`;
}

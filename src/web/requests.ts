/**
 * What people ask for on the page, published and signed like a client's: task
 * requests and cancels.
 *
 * Of a request, what a worker says first is waited for, for a moment: it is
 * **taken** when there is a status of it, **rejected** when a worker reports
 * that, and else it **waits**, with the reason if that can be told.
 *
 * @module
 */
import { newTaskId } from "../client/task_id.ts";
import type { MessageSigner } from "../client/signer.ts";
import type { Outgoing } from "../messages/packets.ts";
import {
  excerpt,
  type FieldError,
  type Rejected,
} from "../messages/rejected.ts";
import { parseTaskRequest } from "../messages/task_request.ts";
import type { TaskStatus } from "../messages/task_status.ts";
import type { Topics } from "../messages/topics.ts";
import type { Asker, Audit } from "./audit.ts";

/** How long a worker's answer is waited for, in milliseconds. */
const ANSWER_MS = 3000;

/** What became of a request. */
export type Asked =
  | { kind: "taken"; taskId: string }
  | { kind: "waits"; taskId: string; reason: string | null }
  | { kind: "refused"; taskId: string | null; errors: FieldError[] };

/** The broker is not there, or refuses; the message says which. */
export class NotPublishedError extends Error {
  override name = "NotPublishedError";
}

/** What is published with. */
interface Channel {
  readonly isConnected: boolean;
  publish(message: Outgoing): Promise<void>;
}

/** Publishes what people ask for. */
export class Requests {
  readonly #topics: Topics;
  readonly #signer: MessageSigner;
  readonly #channel: Channel;
  readonly #audit: Audit;
  readonly #whyWaiting: () => string | null;
  /** What waits for an answer, by its task. */
  readonly #open = new Map<
    string,
    { excerpt: string; answered(asked: Asked): void }
  >();

  /** Nothing is asked for yet. */
  constructor(options: {
    topics: Topics;
    signer: MessageSigner;
    channel: Channel;
    audit: Audit;
    /** Why nobody takes a task, where that can be told. */
    whyWaiting(): string | null;
  }) {
    this.#topics = options.topics;
    this.#signer = options.signer;
    this.#channel = options.channel;
    this.#audit = options.audit;
    this.#whyWaiting = options.whyWaiting;
  }

  /**
   * Has a playbook run.
   *
   * @param request without an id it gets one
   * @throws {NotPublishedError} the broker does not have it
   */
  async submit(
    request: Record<string, unknown>,
    { asker }: { asker: Asker },
  ): Promise<Asked> {
    const payload = JSON.stringify({
      // First, so that it is in the excerpt of a request that is not read.
      task_id: newTaskId(),
      ...request,
    });
    const parsed = parseTaskRequest(new TextEncoder().encode(payload));
    if (!parsed.ok) {
      return { kind: "refused", taskId: parsed.taskId, errors: parsed.errors };
    }
    // Extra variables may be secrets: they are sent, and left nowhere.
    const { task_id: taskId, extra_vars: _, ...detail } = parsed.request;
    const message = await this.#signer.sign(payload, {
      type: "ansible-worker-request",
      topics: this.#topics,
      taskId,
    });
    const answer = Promise.withResolvers<Asked>();
    this.#open.set(taskId, {
      excerpt: excerpt(new TextEncoder().encode(message)),
      answered: answer.resolve,
    });
    const timer = setTimeout(
      () => answer.resolve(this.#waits(taskId)),
      ANSWER_MS,
    );
    // Before it is sent: whether it was may be unknown afterwards.
    this.#audit.note("submit", { asker, taskId, detail });
    try {
      await this.#publish({
        topic: this.#topics.tasks,
        payload: message,
        qos: 2,
        onNobody: () => answer.resolve(this.#waits(taskId)),
      }, taskId);
      return await answer.promise;
    } finally {
      clearTimeout(timer);
      this.#open.delete(taskId);
    }
  }

  /**
   * Has a task ended.
   *
   * @throws {NotPublishedError} the broker does not have it
   */
  async cancel(
    taskId: string,
    { asker, reason }: { asker: Asker; reason: string | undefined },
  ): Promise<void> {
    const payload = await this.#signer.signCancel(taskId, {
      topics: this.#topics,
      reason,
    });
    this.#audit.note("cancel", {
      asker,
      taskId,
      detail: reason === undefined ? {} : { reason },
    });
    await this.#publish(
      { topic: this.#topics.cancel(taskId), payload, qos: 1 },
      taskId,
    );
  }

  /** A worker has a task. */
  onStatus({ task_id }: TaskStatus): void {
    this.#open.get(task_id)?.answered({ kind: "taken", taskId: task_id });
  }

  /** A worker has rejected something. */
  onRejected({ task_id, payload_excerpt, errors, reason }: Rejected): void {
    for (const [taskId, { excerpt, answered }] of this.#open) {
      if (
        payload_excerpt !== excerpt || ![taskId, null].includes(task_id)
      ) continue;
      answered({
        kind: "refused",
        taskId,
        errors: errors.length > 0
          ? errors
          : [{ path: "", message: `was rejected: ${reason}` }],
      });
    }
  }

  #waits(taskId: string): Asked {
    return { kind: "waits", taskId, reason: this.#whyWaiting() };
  }

  async #publish(message: Outgoing, taskId: string): Promise<void> {
    if (!this.#channel.isConnected) {
      throw new NotPublishedError(
        "The broker is not connected: nothing was sent. Try again when it is",
      );
    }
    try {
      // What waits for a connection would be sent when nobody expects it.
      await this.#channel.publish({ ...message, fleeting: true });
    } catch (error) {
      throw new NotPublishedError(
        `The broker has not confirmed it (${
          (error as Error).message
        }). Look whether there is a task ${taskId} before you try again`,
        { cause: error },
      );
    }
  }
}

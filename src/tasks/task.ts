/**
 * One task: what was asked, where it stands, and its status.
 *
 * @module
 */
import type { Delivery } from "../messages/packets.ts";
import type { TaskRequest } from "../messages/task_request.ts";
import type { ResolvedRequest } from "../templates/template.ts";
import {
  cutToBytes,
  MAX_ERROR_MESSAGE_BYTES,
  NO_PROGRESS,
  type Progress,
  type TaskState,
  type TaskStatus,
} from "../messages/task_status.ts";
import type { Signature } from "../messages/signed.ts";
import type { Addressee } from "./addressee.ts";
import type { Response } from "./responses.ts";
import { isFinal, mayMove } from "./states.ts";

/** How a task ended. */
export interface Ending {
  state: TaskState;
  /** Why it failed, if it did. */
  error?: string | null;
  /** What ansible-playbook returned, if it ran. */
  returnCode?: number | null;
}

/** One task, from its request to its final status. */
export class Task {
  /** What was asked. */
  readonly request: TaskRequest;
  /** Its extra variables as JSON; null if it has none. */
  readonly extraVars: string | null;
  /** Why it cannot be run, by what was read so far; null for nothing. */
  readonly refusal: string | null;
  /** Whether a schedule asks for it: each worker does, with the same id. */
  readonly isScheduled: boolean;
  /** The message that brought it, which travels along if it moves on. */
  readonly message: Pick<Delivery, "payload" | "properties">;
  /** When the first worker accepted it. */
  readonly createdAt: Date;
  /** What of it expires first. */
  readonly expires: "message" | "signature";
  /** Where its requester wants answers; null for nowhere. */
  readonly response: Response | null;
  /** The signature that it came with; null if it came without. */
  readonly signature: Signature | null;
  /** When it came to this worker, by `performance.now()`. */
  readonly arrivedAt = performance.now();
  /** How often it has been handed over. */
  readonly hops: number;
  /** Whom it is for. */
  readonly to: Addressee;
  /** The worker that alone may run it, if that is not who has it; null otherwise. */
  readonly owner: string | null;
  progress: Progress = NO_PROGRESS;
  #state: TaskState | "new" = "new";
  #revision: string | null = null;
  /** How old it was when it came, in milliseconds. */
  readonly #ageAtArrival: number;
  /** How long its message may wait here, in milliseconds. */
  readonly #messageMayWait: number | null;
  /** How long it may wait here, in milliseconds. */
  readonly #mayWait: number | null;
  // What is counted comes from a clock that nobody can set; what is published,
  // from the one that people read.
  #started = 0;
  #completed: number | null = null;
  #startedAt: Date | null = null;
  #completedAt: Date | null = null;
  #returnCode: number | null = null;
  #error: string | null = null;

  /** A new task, in no state yet. */
  constructor(
    { request, extraVars, refusal, scheduledFor }: ResolvedRequest,
    message: Pick<Delivery, "payload" | "properties">,
    options: {
      createdAt?: Date | null;
      expiresAt?: Date | null;
      hops?: number;
      to?: Addressee;
      owner?: string | null;
      signature?: Signature | null;
      response?: Response | null;
    } = {},
  ) {
    this.request = request;
    this.extraVars = extraVars;
    this.refusal = refusal;
    this.isScheduled = scheduledFor !== null;
    this.message = message;
    this.signature = options.signature ?? null;
    this.response = options.response ?? null;
    // Anybody can write such a property: it is neither to come, nor older than
    // the signature.
    const now = Date.now();
    this.createdAt = new Date(
      Math.max(
        Math.min(options.createdAt?.getTime() ?? now, now),
        this.signature?.issuedAt.getTime() ?? 0,
      ),
    );
    this.hops = options.hops ?? 0;
    this.to = options.to ?? "group";
    this.owner = options.owner ?? null;
    this.#ageAtArrival = Math.max(0, now - this.createdAt.getTime());
    const byMessage = options.expiresAt
      ? options.expiresAt.getTime() - now
      : Infinity;
    this.#messageMayWait = byMessage === Infinity ? null : byMessage;
    const bySignature = this.signature
      ? this.signature.expiresAt.getTime() - now
      : Infinity;
    this.expires = bySignature < byMessage ? "signature" : "message";
    const mayWait = Math.min(bySignature, byMessage);
    this.#mayWait = mayWait === Infinity ? null : mayWait;
  }

  /**
   * How long until its message or its signature expires, in milliseconds: it
   * must have started before. Null if it never expires.
   */
  expiresIn(): number | null {
    return this.#mayWait === null
      ? null
      : this.#mayWait - (performance.now() - this.arrivedAt);
  }

  /** When its message expires, by the clock as it is now; null for never. */
  get messageExpiresAt(): Date | null {
    if (this.#messageMayWait === null) return null;
    const waited = performance.now() - this.arrivedAt;
    return new Date(Date.now() + this.#messageMayWait - waited);
  }

  /** How long it waited for its start, in seconds; null before. */
  get waitSeconds(): number | null {
    return this.#startedAt
      ? (this.#ageAtArrival + this.#started - this.arrivedAt) / 1000
      : null;
  }

  /** How long its run has taken so far, in seconds; null before its start. */
  get durationSeconds(): number | null {
    if (!this.#startedAt) return null;
    const end = this.#completed ?? performance.now();
    return Math.round(end - this.#started) / 1000;
  }

  get id(): string {
    return this.request.task_id;
  }

  /** Whether it is for this worker, and no other. */
  get isBound(): boolean {
    return this.to !== "group";
  }

  /** Whether this worker does not have the template that it asks for. */
  get lacksTemplate(): boolean {
    const { playbook, template } = this.request;
    return template !== undefined && playbook === undefined;
  }

  /** Its lock; null for none. */
  get lock(): string | null {
    return this.request.lock ?? null;
  }

  get state(): TaskState | "new" {
    return this.#state;
  }

  /** When its run began; null before. */
  get startedAt(): Date | null {
    return this.#startedAt;
  }

  /** When it ended; null before. */
  get completedAt(): Date | null {
    return this.#completedAt;
  }

  /** Why it failed, or ended before its time; null if it did not, or has not. */
  get errorMessage(): string | null {
    return this.#error;
  }

  get final(): boolean {
    return isFinal(this.#state);
  }

  /** Accepted: it waits for its start. */
  queue(): void {
    this.#move("queued");
  }

  /**
   * It waits for something beside a slot.
   *
   * @returns false if that is known already
   */
  waitFor(what: string): boolean {
    const current = `waits for ${what}`;
    if (this.progress.current_task === current) return false;
    this.progress = { ...this.progress, current_task: current };
    return true;
  }

  /** Started, on a commit where the playbooks come from git. */
  start(revision: string | null): void {
    this.#move("running");
    this.#revision = revision;
    this.progress = { ...this.progress, current_task: null };
    this.#startedAt = new Date();
    this.#started = performance.now();
  }

  /** Ended, in whichever final state. */
  end(ending: Ending): void {
    this.#move(ending.state);
    this.#completedAt = new Date();
    this.#completed = performance.now();
    this.#returnCode = ending.returnCode ?? null;
    this.#error = ending.error
      ? cutToBytes(ending.error, MAX_ERROR_MESSAGE_BYTES)
      : null;
    this.progress = { ...this.progress, current_task: null };
  }

  /** What is published of it at this moment. */
  status(workerId: string): TaskStatus {
    return {
      task_id: this.id,
      state: this.#state as TaskState,
      created_at: this.createdAt.toISOString(),
      started_at: this.#startedAt?.toISOString() ?? null,
      completed_at: this.#completedAt?.toISOString() ?? null,
      duration_seconds: this.durationSeconds,
      return_code: this.#returnCode,
      error_message: this.#error,
      playbook: this.request.playbook ?? null,
      inventory: this.request.inventory ?? null,
      template: this.request.template ?? null,
      revision: this.#revision,
      lock: this.lock,
      worker_id: workerId,
      ...this.progress,
    };
  }

  #move(to: TaskState): void {
    if (!mayMove(this.#state, to)) {
      throw new TypeError(
        `Cannot move task "${this.id}" from ${this.#state} to ${to}`,
      );
    }
    this.#state = to;
  }
}

/**
 * From the bytes of a message to a request that can be looked at: out of its
 * signature, where there has to be one, read, and with what its template says.
 *
 * @module
 */
import type { Rejected } from "../messages/rejected.ts";
import type {
  Opened,
  Signature,
  SignedType,
  TrustedKeys,
} from "../messages/signed.ts";
import { inventoryLock } from "../messages/lock.ts";
import {
  type AskedRequest,
  inventoriesOf,
  parseTaskRequest,
} from "../messages/task_request.ts";
import {
  MAX_LATE_SECONDS,
  type ResolvedRequest,
  type Templates,
} from "../templates/template.ts";
import { dueElsewhere } from "../templates/elsewhere.ts";
import type { ScheduleSpec } from "../templates/schedule.ts";
import type { Arrival } from "./duplicates.ts";

/** How many signatures are remembered before expired ones are looked for. */
const SWEEP_AT = 1000;

/** The largest request of a schedule, in bytes: an id, and a template's name. */
const MAX_SCHEDULED_BYTES = 512;

/** What came of a message. */
export type OpenedRequest =
  | {
    ok: true;
    request: ResolvedRequest;
    /** Null where none is needed. */
    signature: Signature | null;
  }
  | {
    ok: false;
    /** What to tell the group; null if there is nothing to tell. */
    report: Pick<Rejected, "task_id" | "reason" | "errors"> | null;
    /** Whether its signature is good, where it needs one. */
    trusted: boolean;
  };

/** Opens requests and cancels. */
export class RequestOpener {
  readonly #keys: () => TrustedKeys | null;
  readonly #audience: string;
  readonly #templates: () => Templates;
  readonly #schedulesElsewhere: (template: string) => ScheduleSpec[];
  readonly #lockBy: "inventory" | undefined;
  /** Signatures that have had their effect here, until they expire. */
  readonly #used = new Map<string, number>();
  #sweepAt = SWEEP_AT;

  /**
   * With no signature used yet.
   *
   * @param options.keys whose signatures they must have at this moment; null:
   * they need none
   * @param options.audience `<prefix>/<group>`
   * @param options.templates what may be asked for by name at this moment
   * @param options.schedulesElsewhere those that other workers have of a template
   * @param options.lockBy what locks a task that names no lock
   */
  constructor(
    options: {
      keys(): TrustedKeys | null;
      audience: string;
      templates(): Templates;
      lockBy?: "inventory" | undefined;
      schedulesElsewhere?(template: string): ScheduleSpec[];
    },
  ) {
    this.#schedulesElsewhere = options.schedulesElsewhere ?? (() => []);
    this.#lockBy = options.lockBy;
    this.#templates = options.templates;
    this.#keys = options.keys;
    this.#audience = options.audience;
  }

  /** Whether requests must be signed. */
  get wantsSignatures(): boolean {
    return this.#keys() !== null;
  }

  /**
   * Opens a request; nothing in it counts before its signature is good, but that
   * a schedule asks for it.
   *
   * @param arrival.part of a request for everyone: the worker whose part it is
   */
  async open(
    message: Uint8Array,
    arrival: Arrival & { part?: string | undefined },
  ): Promise<OpenedRequest> {
    const refuse = (
      reason: Rejected["reason"],
      text: string,
      taskId: string | null,
    ): OpenedRequest => ({
      ok: false,
      report: {
        task_id: taskId,
        reason,
        errors: [{ path: "", message: text }],
      },
      // Also where it was good once: it is not what its sender has now.
      trusted: false,
    });
    const isFirst = !arrival.redelivered && arrival.from === null;
    const scheduled = this.#scheduled(message);
    if (scheduled && this.#mayGoOn(scheduled, { isFirst })) {
      return {
        ok: true,
        request: await this.#locked(scheduled),
        signature: null,
      };
    }
    let payload = message;
    let signature: Signature | null = null;
    const opened = await this.#unwrap(message, "ansible-worker-request");
    if (opened) {
      if (!opened.ok) return refuse(opened.reason, opened.message, null);
      ({ payload, signature } = opened);
      // What was accepted in time becomes `cancelled` when its time is over,
      // whoever has it then; so only what comes for the first time is refused.
      if (isFirst && isOver(signature)) {
        return refuse("expired", expiredAt(signature), signature.taskId);
      }
      if (this.#used.has(keyOf(signature, arrival.part))) {
        if (!isFirst) return { ok: false, report: null, trusted: false };
        return refuse("replayed", REPLAYED, signature.taskId);
      }
    }
    const request = parseTaskRequest(payload);
    if (!request.ok) {
      return {
        ok: false,
        report: {
          task_id: request.taskId,
          reason: request.reason,
          errors: request.errors,
        },
        trusted: true,
      };
    }
    if (signature && request.request.task_id !== signature.taskId) {
      return refuse(
        "wrong_subject",
        "it is for another task: the field sub of its header must be the task_id",
        signature.taskId,
      );
    }
    const { request: asked, extraVars } = request;
    return {
      ok: true,
      request: await this.#locked(
        this.#resolve({ request: asked, extraVars }),
      ),
      signature,
    };
  }

  /** Opens a cancel, which has its effect with that. */
  async openCancel(
    message: Uint8Array,
    taskId: string,
  ): Promise<
    { ok: true; payload: Uint8Array } | {
      ok: false;
      reason: Rejected["reason"];
      message: string;
    }
  > {
    const opened = await this.#unwrap(message, "ansible-worker-cancel");
    if (!opened) return { ok: true, payload: message };
    if (!opened.ok) return opened;
    const { signature, payload } = opened;
    if (signature.taskId !== taskId) {
      return {
        ok: false,
        reason: "wrong_subject",
        message:
          "it is for another task: the field sub of its header must be the one in the topic",
      };
    }
    if (isOver(signature)) {
      return { ok: false, reason: "expired", message: expiredAt(signature) };
    }
    if (this.#used.has(keyOf(signature))) {
      return { ok: false, reason: "replayed", message: REPLAYED };
    }
    this.use(signature);
    return { ok: true, payload };
  }

  /**
   * A signature has its one effect now, whatever comes with it later; or that
   * for one worker's part of a request for everyone.
   */
  use(signature: Signature, part?: string): void {
    this.#used.set(keyOf(signature, part), signature.expiresAt.getTime());
    if (this.#used.size < this.#sweepAt) return;
    const now = Date.now();
    for (const [id, until] of this.#used) {
      if (until < now) this.#used.delete(id);
    }
    this.#sweepAt = Math.max(SWEEP_AT, 2 * this.#used.size);
  }

  /** With a lock, where every task has to have one. */
  async #locked(resolved: ResolvedRequest): Promise<ResolvedRequest> {
    const { request } = resolved;
    const { inventory, lock } = request;
    if (this.#lockBy === undefined || lock || !inventory) return resolved;
    return {
      ...resolved,
      request: {
        ...request,
        lock: await inventoryLock(inventoriesOf(inventory)),
      },
    };
  }

  /** What another worker's schedule asks for was looked at when it was read. */
  #mayGoOn(scheduled: ResolvedRequest, how: { isFirst: boolean }): boolean {
    return scheduled.request.playbook === undefined ||
      this.#isDue(scheduled, how);
  }

  /** Whether what a schedule asks for is due, or was when it first came. */
  #isDue(scheduled: ResolvedRequest, { isFirst }: { isFirst: boolean }) {
    const templates = this.#templates();
    const now = Date.now();
    // It expires so long after it was published, wherever it has gone since.
    const before = now - MAX_LATE_SECONDS * 1000;
    return templates.isDue(scheduled, new Date(now)) ||
      (!isFirst && templates.isDue(scheduled, new Date(before)));
  }

  /**
   * What a schedule asks for, which needs no signature where others do: it says
   * nothing that is not configured here. Null for all else, which is not looked
   * at any further.
   */
  #scheduled(message: Uint8Array): ResolvedRequest | null {
    if (!this.wantsSignatures || message.length > MAX_SCHEDULED_BYTES) {
      return null;
    }
    const parsed = parseTaskRequest(message);
    if (!parsed.ok) return null;
    const resolved = this.#resolve(parsed);
    return resolved.scheduledFor === null ? null : resolved;
  }

  /** What it asks for, also if only another worker has it at its times. */
  #resolve(asked: AskedRequest): ResolvedRequest {
    const resolved = this.#templates().resolve(asked);
    const { playbook, template } = resolved.request;
    if (template === undefined || playbook !== undefined) return resolved;
    const specs = this.#schedulesElsewhere(template);
    const scheduledFor = dueElsewhere(asked.request, {
      specs,
      now: new Date(),
    });
    return { ...resolved, scheduledFor };
  }

  /** Out of its signature; null where it needs none. */
  async #unwrap(
    message: Uint8Array,
    type: SignedType,
  ): Promise<Opened | null> {
    const keys = this.#keys();
    return keys && await keys.open(message, { type, audience: this.#audience });
  }
}

/** Of a request for everyone, each worker's part is one effect. */
function keyOf({ id }: Signature, part = ""): string {
  return `${id} ${part}`;
}

const REPLAYED = "its signature has been used already";

function isOver({ expiresAt }: Signature): boolean {
  return expiresAt.getTime() <= Date.now();
}

function expiredAt({ expiresAt }: Signature): string {
  return `its signature expired at ${expiresAt.toISOString()}`;
}

/**
 * Cancels: what a controller publishes to have a task ended. Every worker of
 * the group gets each of them.
 *
 * @module
 */
import { cancelReason } from "../messages/cancel.ts";
import type { Incoming } from "../messages/packets.ts";
import { partId, taskIdSchema } from "../messages/task_request.ts";
import type { Dispatcher } from "./dispatcher.ts";
import type { LogRation } from "./log_ration.ts";
import type { Rejections } from "./rejections.ts";
import { RememberedCancels } from "./remembered_cancels.ts";
import type { RequestOpener } from "./request_opener.ts";

/** What cancelling needs. */
export interface CancellingOptions {
  workerId: string;
  opener: Pick<RequestOpener, "openCancel">;
  dispatcher: Pick<Dispatcher, "cancel" | "find">;
  rejections: Pick<Rejections, "report">;
  /** Where to write what strangers have caused. */
  rationed: Pick<LogRation, "info" | "warn">;
}

/** Ends tasks that controllers want to have ended. */
export class Cancelling {
  readonly #options: CancellingOptions;
  readonly #remembered = new RememberedCancels();

  constructor(options: CancellingOptions) {
    this.#options = options;
  }

  /**
   * Takes a message on the cancel topic of a task: ends the task if it is here,
   * and remembers the cancel if it is not.
   */
  async receive(taskId: string, message: Incoming): Promise<void> {
    const { dispatcher, opener, rationed, rejections } = this.#options;
    if (message.retained) {
      rationed.warn("a retained cancel is ignored", { task_id: taskId });
      return;
    }
    if (!taskIdSchema.safeParse(taskId).success) return;
    // By the id of a request for everyone, each worker ends its own part.
    const part = partId(taskId, this.#options.workerId);
    const opened = await opener.openCancel(message.payload, taskId);
    if (!opened.ok) {
      // Every worker gets it; the one that has the task reports it.
      if (dispatcher.find(taskId) ?? dispatcher.find(part)) {
        await rejections.report(message.payload, {
          task_id: taskId,
          reason: opened.reason,
          errors: [{ path: "cancel", message: opened.message }],
        });
      }
      return;
    }
    const reason = cancelReason(opened.payload);
    rationed.info("cancel received", { task_id: taskId, reason });
    if (
      !dispatcher.cancel(taskId, reason) && !dispatcher.cancel(part, reason)
    ) this.#remembered.add(taskId, reason);
  }

  /** A task is here: applies a cancel that came before it did. */
  applyRemembered(taskId: string): void {
    const reason = this.#remembered.take(taskId) ??
      this.#remembered.take(this.#wholeOf(taskId));
    if (reason !== null) this.#options.dispatcher.cancel(taskId, reason);
  }

  /** Of this worker's part of a request for everyone: the id of that. */
  #wholeOf(taskId: string): string {
    const suffix = partId("", this.#options.workerId);
    return taskId.endsWith(suffix) ? taskId.slice(0, -suffix.length) : taskId;
  }

  /** A cancel of this id has had its effect elsewhere. */
  forget(taskId: string): void {
    this.#remembered.take(taskId);
    this.#remembered.take(this.#wholeOf(taskId));
  }
}

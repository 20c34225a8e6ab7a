/**
 * What becomes of a cancel: the task of its id is ended if it is here, and
 * otherwise the cancel is remembered, since the task may be on its way.
 *
 * @module
 */
import { cancelReason } from "../messages/cancel.ts";
import type { Incoming } from "../messages/packets.ts";
import { taskIdSchema } from "../messages/task_request.ts";
import type { Acceptance } from "./acceptance.ts";
import type { RememberedCancels } from "./cancels.ts";
import type { Dispatcher } from "./dispatcher.ts";
import type { LogRation } from "./log_ration.ts";
import type { RequestOpener } from "./request_opener.ts";

/** Takes care of cancels. */
export class Cancelling {
  readonly #options: {
    opener: RequestOpener;
    dispatcher: Dispatcher;
    remembered: RememberedCancels;
    rationed: LogRation;
    report: Acceptance["report"];
  };

  /** With `remembered` for the tasks that are not here. */
  constructor(options: {
    opener: RequestOpener;
    dispatcher: Dispatcher;
    remembered: RememberedCancels;
    rationed: LogRation;
    report: Acceptance["report"];
  }) {
    this.#options = options;
  }

  /** A message on the cancel topic of a task. */
  async receive(taskId: string, message: Incoming): Promise<void> {
    const { dispatcher, opener, rationed, remembered, report } = this.#options;
    if (message.retained) {
      rationed.warn("a retained cancel is ignored", { task_id: taskId });
      return;
    }
    if (!taskIdSchema.safeParse(taskId).success) return;
    const opened = await opener.openCancel(message.payload, taskId);
    if (!opened.ok) {
      // Every worker gets it; the one that it is about reports it.
      if (dispatcher.find(taskId)) {
        await report(message.payload, {
          task_id: taskId,
          reason: opened.reason,
          errors: [{ path: "cancel", message: opened.message }],
        });
      }
      return;
    }
    const reason = cancelReason(opened.payload);
    rationed.info("cancel received", { task_id: taskId, reason });
    if (!dispatcher.cancel(taskId, reason)) remembered.add(taskId, reason);
  }
}

/**
 * What the group is told of messages that are discarded.
 *
 * Brokers send more at once than they were asked to when much comes, and who
 * floods a group with bad messages is not owed a report of each: what waits for
 * its report to be acknowledged has a bound, and beyond that only the log says
 * that a message was discarded.
 *
 * @module
 */
import { excerpt, type Rejected } from "../messages/rejected.ts";
import type { LogRation } from "./log_ration.ts";
import type { TaskObserver } from "./observer.ts";
import type { Channel, Log } from "./ports.ts";
import type { Response, Responses } from "./responses.ts";

/** What may wait for its report to be acknowledged, in bytes of the messages. */
const MAX_REPORTED_BYTES = 16 * 1024 * 1024;

/** What a message takes beside its bytes, and its report. */
const REPORT_BYTES = 8192;

/** What is wrong with a message. */
export type Problem = Pick<Rejected, "task_id" | "reason" | "errors">;

/** What reporting needs. */
export interface RejectionsOptions {
  channel: Channel;
  /** Where the group is told. */
  topic: string;
  workerId: string;
  responses: Pick<Responses, "send">;
  log: Log;
  /** Where to write what strangers have caused. */
  rationed: LogRation;
  observer?: TaskObserver;
}

/** Reports what is discarded. */
export class Rejections {
  readonly #options: RejectionsOptions;
  /** Bytes of messages whose reports are under way. */
  #reportedBytes = 0;

  /** With nothing reported yet. */
  constructor(options: RejectionsOptions) {
    this.#options = options;
  }

  /**
   * Tells the group of a message that was discarded, and why; in a flood, only
   * the log does.
   *
   * @param response where to tell it too
   * @returns settles when the report is acknowledged; never rejects
   */
  async report(
    payload: Uint8Array,
    problem: Problem,
    response: Response | null = null,
  ): Promise<void> {
    const { channel, log, observer, rationed, responses, topic, workerId } =
      this.#options;
    observer?.rejected(problem.reason);
    const bytes = payload.length + REPORT_BYTES;
    const isFlood = this.#reportedBytes + bytes > MAX_REPORTED_BYTES;
    rationed.warn(`a message is rejected: ${problem.reason}`, {
      ...(problem.task_id && { task_id: problem.task_id }),
      ...(isFlood && { reported: false }),
      errors: problem.errors.map(({ path, message }) =>
        path ? `${path}: ${message}` : message
      ).join("; "),
    });
    if (isFlood) return;
    const rejected: Rejected = {
      received_at: new Date().toISOString(),
      worker_id: workerId,
      ...problem,
      payload_excerpt: excerpt(payload),
    };
    this.#reportedBytes += bytes;
    const text = JSON.stringify(rejected);
    if (response) {
      responses.send(response, { payload: text, about: "rejected" });
    }
    await channel.publish({ topic, payload: text, qos: 1 })
      .catch((error) => log.error("cannot publish a rejection", { error }))
      .finally(() => this.#reportedBytes -= bytes);
  }
}

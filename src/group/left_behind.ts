/**
 * Tasks that were claimed by a worker which is no more: whoever finds them, the
 * worker's next process or the one that adopts its session, ends them.
 *
 * | its status | a request for it has been delivered | what becomes of it |
 * | --- | --- | --- |
 * | queued | yes | it has not run: that request is taken |
 * | queued | no | its own message is gone: `failed` |
 * | running | yes or no | it may have run: `failed`; what was delivered is another copy, since its own message was gone before it ran |
 *
 * @module
 */
import type { Outgoing } from "../messages/packets.ts";
import {
  encodeTaskStatus,
  shortenTaskStatus,
  type TaskStatus,
} from "../messages/task_status.ts";
import type { PublishedStatus } from "../tasks/published_status.ts";
import { isFinal } from "../tasks/states.ts";

/**
 * The final status of a task that a worker had claimed and did not end; null
 * if it needs none, because it has one, is another worker's, or waits again.
 *
 * @param options.delivered a request for it has been delivered since
 * @param options.started counts a task that shows no start as started, since
 * its worker may have been about to
 */
export function endOfLeftBehind(
  found: PublishedStatus | null,
  options: {
    workerId: string;
    topic: string;
    retentionSeconds: number;
    started: boolean;
    delivered: boolean;
  },
): Outgoing | null {
  if (!found) return null;
  const { status } = found;
  if (isFinal(status.state) || status.worker_id !== options.workerId) {
    return null;
  }
  if (status.state === "queued" && options.delivered) return null;
  const now = new Date();
  const startedAt = status.started_at ??
    (options.started ? now.toISOString() : null);
  const ended: TaskStatus = {
    ...status,
    state: "failed",
    started_at: startedAt,
    completed_at: now.toISOString(),
    duration_seconds: startedAt === null
      ? null
      : Math.max(0, now.getTime() - new Date(startedAt).getTime()) / 1000,
    error_message: status.state === "running"
      ? "the worker stopped while this task was running"
      : "the worker stopped while this task was starting",
    current_task: null,
  };
  const { responseTopic, correlationData } = found.properties;
  const publication: Outgoing = {
    topic: options.topic,
    payload: encodeTaskStatus(ended),
    shorten: (bytes) => shortenTaskStatus(ended, bytes),
    qos: 1,
    retain: true,
    properties: {
      ...(responseTopic !== undefined && { responseTopic }),
      ...(correlationData !== undefined && { correlationData }),
    },
  };
  // For the worker itself, should it be alive: the task is no longer its own.
  if (found.token) publication.properties!.user = { from: found.token };
  if (options.retentionSeconds > 0) {
    publication.properties!.expirySeconds = options.retentionSeconds;
  }
  return publication;
}

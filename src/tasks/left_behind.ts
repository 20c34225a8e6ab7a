/**
 * Tasks that were running when their worker stopped: whoever finds them, its next
 * process or the worker that adopts it, ends them.
 *
 * @module
 */
import type { Outgoing } from "../messages/packets.ts";
import { encodeTaskStatus, type TaskStatus } from "../messages/task_status.ts";
import type { PublishedStatus } from "./published_status.ts";

/**
 * The final status of a task that was running; null if it was not, or not at the
 * worker that is gone.
 */
export function endOfLeftBehind(
  found: PublishedStatus,
  options: { workerId: string; topic: string; retentionSeconds: number },
): Outgoing | null {
  const { status } = found;
  if (status.state !== "running" || status.worker_id !== options.workerId) {
    return null;
  }
  const now = new Date();
  const { started_at: startedAt } = status;
  const ended: TaskStatus = {
    ...status,
    state: "failed",
    completed_at: now.toISOString(),
    duration_seconds: startedAt === null
      ? null
      : Math.max(0, now.getTime() - new Date(startedAt).getTime()) / 1000,
    error_message: "the worker stopped while this task was running",
    current_task: null,
  };
  const { responseTopic, correlationData } = found.properties;
  const publication: Outgoing = {
    topic: options.topic,
    payload: encodeTaskStatus(ended),
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

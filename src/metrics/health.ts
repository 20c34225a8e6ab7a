/**
 * Whether a worker can take a task.
 *
 * @module
 */
import {
  cutToBytes,
  MAX_ERROR_MESSAGE_BYTES,
} from "../messages/task_status.ts";
import type { Answer } from "./listener.ts";
import { CONNECTIONS, type Readings } from "./readings.ts";

/** Why a worker can take no task, in one sentence; null if it can. */
export function unhealthyReason(
  { standing, connected, problem }: Readings,
): string | null {
  switch (standing) {
    case "starting":
      return "the worker is starting: its playbooks, Ansible or the broker are not ready yet";
    case "draining":
      return "the worker is stopping: it takes no more tasks";
    case "offline": {
      const lost = CONNECTIONS.filter((name) => !connected[name]);
      return lost.length > 0
        ? `no connection to the broker (${lost.join(" and ")}); trying again`
        : "the connection to the broker has just come back";
    }
    case "online":
      return problem;
  }
}

/** The page that says so: 200 if it can, otherwise 503 and why. */
export function healthPage(now: Readings): Answer {
  const reason = unhealthyReason(now);
  return {
    status: reason === null ? 200 : 503,
    type: "application/json",
    text: JSON.stringify({
      healthy: reason === null,
      state: now.standing,
      ...(reason !== null &&
        { reason: cutToBytes(reason, MAX_ERROR_MESSAGE_BYTES) }),
      ...(now.content && { content: now.content }),
    }) + "\n",
  };
}

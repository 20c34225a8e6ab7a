/**
 * Messages as workers publish them, for tests that need no worker.
 *
 * @module
 */
import type { TaskEvent } from "../../src/messages/event.ts";
import type { TaskOutput } from "../../src/messages/output.ts";
import {
  NO_PROGRESS,
  type TaskStatus,
} from "../../src/messages/task_status.ts";

/** A status. */
export function status(
  taskId: string,
  state: TaskStatus["state"],
  more: Partial<TaskStatus> = {},
): TaskStatus {
  const isFinal = state !== "queued" && state !== "running";
  return {
    task_id: taskId,
    state,
    created_at: "2026-05-04T12:00:00.000Z",
    started_at: state === "queued" ? null : "2026-05-04T12:00:01.000Z",
    completed_at: isFinal ? "2026-05-04T12:00:03.000Z" : null,
    duration_seconds: state === "queued" ? null : isFinal ? 2 : 1,
    return_code: isFinal ? (state === "success" ? 0 : 2) : null,
    error_message: null,
    playbook: "site.yml",
    inventory: "hosts.ini",
    worker_id: "w1",
    template: null,
    revision: null,
    lock: null,
    ...NO_PROGRESS,
    ...more,
  };
}

/** An event: a result, or the start of a play task where there is no host. */
export function event(
  taskId: string,
  seq: number,
  { host = null, state = "ok", ...more }:
    & Partial<Omit<TaskEvent, "host" | "state">>
    & { host?: string | null; state?: TaskEvent["state"] } = {},
): TaskEvent {
  return {
    task_id: taskId,
    seq,
    time: new Date(
      Date.UTC(2026, 4, 4, 12) + Math.min(Math.abs(seq), 1e6) * 100,
    ).toISOString(),
    event: host === null ? "task_start" : "result",
    play: "all",
    task: "ping",
    host,
    state: host === null ? null : state,
    changed: host === null ? null : state === "changed",
    duration_seconds: host === null ? null : 0.1,
    message: null,
    left_out: 0,
    ...more,
  };
}

/** A piece of output. */
export function output(
  taskId: string,
  seq: number,
  text: string,
  more: Partial<TaskOutput> = {},
): TaskOutput {
  return {
    task_id: taskId,
    seq,
    stream: "stdout",
    text,
    truncated: false,
    left_out: 0,
    ...more,
  };
}

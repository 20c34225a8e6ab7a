/**
 * How far a task is, for a person to read.
 *
 * @module
 */
import { harmless } from "../harmless.ts";
import type { TaskEvent } from "../messages/event.ts";
import type { Lock } from "../messages/lock.ts";
import type { TaskStatus } from "../messages/task_status.ts";
import { duration } from "./durations.ts";

/** A status, and when it came. */
export interface ReceivedStatus {
  status: TaskStatus;
  /** When it came, in milliseconds of `performance.now()`. */
  at: number;
  /** Who has the lock that it waits for; left out for nobody. */
  holder?: Lock | null;
}

/** The host results that are there. */
export function done(status: TaskStatus): number {
  return status.tasks_ok + status.tasks_failed + status.tasks_skipped +
    status.tasks_unreachable + status.tasks_rescued;
}

/** The host results that are there, and all that are expected. */
export function share(status: TaskStatus): string {
  return status.tasks_total === 0
    ? "-"
    : `${done(status)}/${status.tasks_total}`;
}

/** A bar, as the part that is filled and the rest. */
export function bar(
  status: TaskStatus,
  columns: number,
): { filled: string; rest: string } {
  const part = status.tasks_total === 0
    ? 0
    : Math.min(1, done(status) / status.tasks_total);
  // It is full only when nothing is left.
  const filled = Math.floor(part * columns);
  return { filled: "━".repeat(filled), rest: "─".repeat(columns - filled) };
}

/**
 * How long a task has been running, or ran. What the worker says is continued
 * by our own clock, since those of two hosts differ.
 */
export function elapsed(
  { status, at }: ReceivedStatus,
  now = performance.now(),
): string {
  if (status.duration_seconds === null) return "-";
  const since = status.state === "running" ? (now - at) / 1000 : 0;
  return duration(status.duration_seconds + since);
}

const COUNTS = [
  ["ok", "tasks_ok"],
  ["changed", "tasks_changed"],
  ["unreachable", "tasks_unreachable"],
  ["failed", "tasks_failed"],
  ["skipped", "tasks_skipped"],
  ["rescued", "tasks_rescued"],
  ["ignored", "tasks_ignored"],
] as const;

/** The counters by Ansible's names; those that are 0 only if asked for. */
export function counts(
  status: TaskStatus,
  { all = false } = {},
): string {
  return COUNTS.filter(([_, key]) =>
    all || key === "tasks_ok" || status[key] > 0
  ).map(([name, key]) => `${name} ${status[key]}`).join("  ");
}

/** What a task is at, or why it ended as it did, on one line. */
export function situation(
  status: TaskStatus,
  { holder = null }: { holder?: Lock | null } = {},
): string {
  const text = status.current_task ?? status.error_message ?? "";
  const by = holder && status.current_task !== null ? heldBy(holder) : "";
  return harmless(text.trim().split("\n")[0]! + by);
}

/** Who has the lock that a task waits for, as it follows what the task says. */
export function heldBy({ task_id, worker_id }: Lock): string {
  return `, held by ${task_id} at ${worker_id}`;
}

/** Where a task waits, and for what if not for a slot, on one line. */
export function queued(status: TaskStatus): string {
  const what = situation(status);
  return harmless(`queued on ${status.worker_id}`) +
    (what === "" ? "" : `; ${what}`);
}

/** A task among others, on one line. */
export function taskLine(
  status: TaskStatus,
  by: { holder: Lock | null } = { holder: null },
): string {
  const isActive = status.completed_at === null;
  return harmless(
    [
      status.task_id,
      status.state,
      share(status),
      elapsed({ status, at: performance.now() }),
      status.worker_id,
      ...(isActive ? [] : [counts(status)]),
      situation(status, by),
    ].filter(Boolean).join("  "),
  );
}

/** How a task ended, on one line. */
export function ending(status: TaskStatus): string {
  const { state, duration_seconds: seconds, return_code: code } = status;
  return harmless(
    state +
      (seconds === null ? "" : ` in ${duration(seconds)}`) +
      ` on ${status.worker_id}` +
      (state === "failed" && code !== null ? `, return code ${code}` : ""),
  );
}

/** A failure, if the event is one, on one line. */
export function failure(
  { host, state, task, message }: TaskEvent,
): string | null {
  if (state !== "failed" && state !== "unreachable") return null;
  return harmless(
    [`${state}: ${host}`, task, message?.trim()].filter(Boolean).join(": "),
  );
}

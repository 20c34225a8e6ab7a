/**
 * What a run's events add up to: its numbers, and why it failed.
 *
 * @module
 */
import {
  MAX_NESTING,
  nestingOf,
  parseExactly,
} from "../messages/exact_json.ts";
import {
  MAX_HOST_NAME,
  MAX_HOST_NAMES,
  MAX_STATS_BYTES,
  NO_PROGRESS,
  type Progress,
  type TaskStatus,
  taskStatusSchema,
} from "../messages/task_status.ts";
import type { RunEvent } from "./frames.ts";

/** How many failures are told in full. */
const MAX_FAILURES = 10;

/** A run's events, added up. */
export class RunReport {
  readonly #failures: Extract<RunEvent, { event: "failure" }>[] = [];
  #failed = 0;
  #progress: Progress = NO_PROGRESS;

  get progress(): Progress {
    return this.#progress;
  }

  /** Takes note of an event; true if the numbers have changed. */
  add(event: RunEvent): boolean {
    if (event.event === "failure") {
      this.#failed++;
      if (this.#failures.length < MAX_FAILURES) this.#failures.push(event);
      return false;
    }
    if (event.event === "host") {
      const field = HOSTS[event.column];
      this.#progress = {
        ...this.#progress,
        [field]: withHost(this.#progress[field], event),
      };
      // The numbers come with it.
      return false;
    }
    if (event.event === "stats") {
      this.#progress = { ...this.#progress, stats: statsOf(event.text) };
      return false;
    }
    if (event.event !== "progress") return false;
    const { counts } = event;
    this.#progress = {
      ...this.#progress,
      tasks_total: event.total,
      tasks_ok: counts.ok,
      tasks_changed: counts.changed,
      tasks_failed: counts.failed,
      tasks_skipped: counts.skipped,
      tasks_unreachable: counts.unreachable,
      tasks_rescued: counts.rescued,
      tasks_ignored: counts.ignored,
      current_task: event.task,
    };
    return true;
  }

  /** The numbers at the end: the total is what there was. */
  final(): Progress {
    const p = this.#progress;
    return {
      ...p,
      tasks_total: p.tasks_ok + p.tasks_failed + p.tasks_skipped +
        p.tasks_unreachable + p.tasks_rescued,
      current_task: null,
    };
  }

  /**
   * Why the run failed: the hosts with their play tasks and Ansible's messages,
   * or, where no host failed, the end of what it printed.
   */
  error(tails: { stdout: string; stderr: string }): string | null {
    if (this.#failed === 0) {
      return lastLines(tails.stderr) ?? lastLines(tails.stdout);
    }
    const lines = this.#failures.map(({ host, task, unreachable, message }) =>
      `${host}: ${unreachable ? "unreachable at" : "failed at"} ` +
      `"${task}": ${message}`
    );
    const more = this.#failed - this.#failures.length;
    if (more > 0) lines.push(`and ${more} more`);
    return lines.join("\n");
  }
}

/** The lists of hosts by the columns of PLAY RECAP. */
const HOSTS = {
  failed: "failed_hosts",
  unreachable: "unreachable_hosts",
} as const;

/** The hosts of a column after a host has come into it, or gone out of it. */
function withHost(
  { names, more }: TaskStatus["failed_hosts"],
  { host, counted }: { host: string; counted: boolean },
): TaskStatus["failed_hosts"] {
  if (!counted) {
    return names.includes(host)
      ? { names: names.filter((name) => name !== host), more }
      : { names, more: Math.max(0, more - 1) };
  }
  // Cut, it would name no host, or another one.
  return names.length < MAX_HOST_NAMES && host.length <= MAX_HOST_NAME
    ? { names: [...names, host], more }
    : { names, more: more + 1 };
}

/** What `set_stats` has left; a run could write something else there. */
function statsOf(text: string | null): TaskStatus["stats"] {
  if (text === null) return null;
  const bytes = new TextEncoder().encode(text);
  if (bytes.length > MAX_STATS_BYTES || nestingOf(bytes) > MAX_NESTING) {
    return null;
  }
  try {
    return taskStatusSchema.shape.stats.parse(parseExactly(text));
  } catch {
    return null;
  }
}

/** The end of what a program printed, without colours and lesser warnings. */
function lastLines(text: string): string | null {
  const lines = text
    // deno-lint-ignore no-control-regex
    .replace(/\u001b\[[0-9;]*m/g, "")
    // deno-lint-ignore no-control-regex
    .replace(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/g, " ")
    .split("\n").map((line) => line.trimEnd()).filter((line) => line !== "");
  const errors = lines.findIndex((line) => /^\[?(ERROR|error)/.test(line));
  const told = errors >= 0
    ? lines.slice(errors)
    : lines.filter((line) => !/^\[(WARNING|DEPRECATION WARNING)\]/.test(line));
  const last = (told.length > 0 ? told : lines).slice(-20);
  return last.length > 0 ? last.join("\n") : null;
}

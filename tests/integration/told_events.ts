/**
 * The events of a task, as its controller has got them, and their sums.
 *
 * @module
 */
import assert from "node:assert/strict";
import {
  EVENT_STATES,
  eventSchema,
  type TaskEvent,
} from "../../src/messages/event.ts";
import type { TaskStatus } from "../../src/messages/task_status.ts";
import type { Client } from "../harness/client.ts";

/** Set, a worker publishes them. */
export const EVENTS = { publish_events: true };

/** Where what is told of a task is published. */
export function base(id: string): string {
  return `ansible/test/tasks/${id}`;
}

/** The events of a task that came before its final status, all as they should be. */
export function told(client: Client, id: string): TaskEvent[] {
  const of = (leaf: string) =>
    client.messages.filter(({ topic }) => topic === `${base(id)}/${leaf}`);
  const end = client.messages.findIndex(({ topic, text }) =>
    topic === `${base(id)}/status` && text.includes('"completed_at":"')
  );
  const events = of("events");
  for (const message of events) {
    assert.ok(client.messages.indexOf(message) < end, "told before the end");
  }
  return events.map(({ text }, i) => {
    const event = eventSchema.parse(JSON.parse(text));
    assert.deepEqual(
      Object.keys(JSON.parse(text)),
      Object.keys(eventSchema.shape),
    );
    assert.equal(event.task_id, id);
    assert.equal(event.seq, i + 1);
    assert.equal(event.left_out, 0);
    return event;
  });
}

/** The columns of the recap, from events. */
export function sums(events: TaskEvent[]) {
  const results = events.filter(({ event }) => event === "result");
  const count = Object.fromEntries(
    EVENT_STATES.map((state) => [
      state,
      results.filter((one) => one.state === state).length,
    ]),
  ) as Record<typeof EVENT_STATES[number], number>;
  return {
    total: results.length,
    ok: count.ok + count.changed + count.ignored,
    changed: results.filter(({ changed }) => changed).length,
    failed: count.failed,
    skipped: count.skipped,
    unreachable: count.unreachable,
    rescued: count.rescued,
    ignored: count.ignored,
  };
}

/** The same of a status. */
export function countersOf(final: TaskStatus) {
  return {
    total: final.tasks_total,
    ok: final.tasks_ok,
    changed: final.tasks_changed,
    failed: final.tasks_failed,
    skipped: final.tasks_skipped,
    unreachable: final.tasks_unreachable,
    rescued: final.tasks_rescued,
    ignored: final.tasks_ignored,
  };
}

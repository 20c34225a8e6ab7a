/**
 * The messages between workers.
 *
 * @module
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import type { z } from "zod";
import {
  loadSchema,
  presenceSchema,
  readAs,
} from "../../src/messages/presence.ts";
import { taskStatusSchema } from "../../src/messages/task_status.ts";
import { Topics } from "../../src/messages/topics.ts";
import {
  anyValue,
  bytesOf,
  forEvery,
  JSON_TOKENS,
  mutated,
  type Target,
} from "./mutation.ts";

const TIME = "2026-05-04T12:00:00.000Z";

const KINDS: [z.ZodType, Record<string, unknown>][] = [
  [presenceSchema, {
    worker_id: "w1",
    instance: "x",
    state: "online",
    slots: 1,
    version: "0.1.0",
    ansible_version: "2.14.18",
    host: "w1",
    started_at: TIME,
    updated_at: TIME,
  }],
  [loadSchema, { worker_id: "w1", free_slots: 1, queued: 0, room: 1, seq: 5 }],
  [taskStatusSchema, {
    task_id: "a",
    state: "running",
    created_at: TIME,
    started_at: TIME,
    completed_at: null,
    duration_seconds: 1.5,
    tasks_total: 3,
    tasks_ok: 1,
    tasks_changed: 0,
    tasks_failed: 0,
    tasks_skipped: 0,
    tasks_unreachable: 0,
    return_code: null,
    error_message: null,
    tasks_rescued: 0,
    tasks_ignored: 0,
    playbook: "site.yml",
    inventory: "hosts",
    worker_id: "w1",
    current_task: "one",
    template: null,
    revision: null,
    lock: null,
    failed_hosts: { names: [], more: 0 },
    unreachable_hosts: { names: [], more: 0 },
    stats: null,
  }],
];

const topics = new Topics("ansible", "test");

/** Reads what fits, and takes the rest for nothing. */
export const betweenWorkersTarget: Target = {
  name: "messages between workers",
  share: 10,
  property: () =>
    forEvery(
      fc.constantFrom(...KINDS).chain(([schema, good]) => {
        const changed = fc.tuple(
          fc.constantFrom(...Object.keys(good)),
          fc.oneof(anyValue(), fc.constant(undefined)),
        ).map(([name, value]) => JSON.stringify({ ...good, [name]: value }));
        return fc.tuple(
          fc.constant(schema),
          bytesOf(
            fc.oneof(
              changed,
              mutated(fc.constant(JSON.stringify(good)), JSON_TOKENS),
              fc.json(),
            ),
          ),
          fc.oneof(
            mutated(
              fc.constantFrom("ansible/test/workers/w1/status"),
              ["/", "tasks", "+", "#", "cancel"],
            ),
            fc.string(),
          ),
        );
      }),
      ([schema, bytes, topic]) => {
        const value = readAs(schema, bytes);
        if (value !== null) assert.deepEqual(schema.parse(value), value);
        topics.parse(topic);
      },
    ),
};

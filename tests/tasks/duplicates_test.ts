import assert from "node:assert/strict";
import type { TaskState, TaskStatus } from "../../src/messages/task_status.ts";
import {
  duplicateOf,
  judge,
  type Judgement,
} from "../../src/tasks/duplicates.ts";

const NOW = new Date("2026-05-04T12:00:00.000Z");
const before = (seconds: number) =>
  new Date(NOW.getTime() - seconds * 1000).toISOString();

type Case = [
  name: string,
  state: TaskState | null,
  status: Partial<TaskStatus> & { token?: string },
  arrival: { redelivered?: boolean; from?: string | null },
  expected: Judgement,
];

const CASES: Case[] = [
  ["nothing is known", null, {}, {}, "take"],
  ["queued elsewhere", "queued", {}, {}, "duplicate"],
  [
    "queued elsewhere, and delivered again",
    "queued",
    {},
    { redelivered: true },
    "stale",
  ],
  ["queued by this worker before", "queued", { worker_id: "me" }, {
    redelivered: true,
  }, "take"],
  ["queued by the peer that offers it", "queued", { token: "t1" }, {
    from: "t1",
  }, "take"],
  ["queued by a peer that has taken it back", "queued", { token: "t2" }, {
    from: "t1",
  }, "stale"],
  ["offered, and of nobody", null, {}, { from: "" }, "take"],
  ["running elsewhere", "running", { started_at: before(5) }, {}, "duplicate"],
  [
    "running, and offered",
    "running",
    { started_at: before(5) },
    { from: "t1" },
    "stale",
  ],
  [
    "running by this worker, which does not run it, sent again",
    "running",
    { worker_id: "me" },
    {},
    "left behind",
  ],
  [
    "running by this worker, which does not run it, delivered again",
    "running",
    { worker_id: "me" },
    { redelivered: true },
    "left behind",
  ],
  [
    "ended within the window",
    "success",
    { created_at: before(99), started_at: before(50) },
    {},
    "duplicate",
  ],
  [
    "ended before the window",
    "success",
    { created_at: before(500), started_at: before(450) },
    {},
    "take",
  ],
  [
    "accepted exactly a window ago, started and ended later",
    "success",
    { created_at: before(100), started_at: before(99) },
    {},
    "take",
  ],
  ["ended, and delivered again", "success", { started_at: before(500) }, {
    redelivered: true,
  }, "stale"],
  ["refused, sent again", "failed", {}, {}, "take"],
  [
    "refused, and delivered again",
    "failed",
    {},
    { redelivered: true },
    "stale",
  ],
  [
    "cancelled before its start, sent again",
    "cancelled",
    { created_at: before(60), completed_at: before(50) },
    {},
    "duplicate",
  ],
  [
    "cancelled long ago, sent again",
    "cancelled",
    { created_at: before(600), completed_at: before(500) },
    {},
    "take",
  ],
];

for (const [name, state, more, arrival, expected] of CASES) {
  Deno.test(`judge(): ${name}: ${expected}`, () => {
    const { token = null, ...status } = more;
    const seen = state === null ? null : {
      status: {
        state,
        worker_id: "other",
        created_at: before(0),
        started_at: null,
        completed_at: null,
        ...status,
      } as TaskStatus,
      token,
      properties: {},
      from: null,
      held: true,
    };
    const judged = judge(seen, { redelivered: false, from: null, ...arrival }, {
      workerId: "me",
      windowSeconds: 100,
      now: NOW,
    });
    assert.equal(judged, expected);
  });
}

Deno.test("duplicateOf() says until when, and which key; or that it was signed too early", () => {
  const status = {
    state: "success",
    worker_id: "w1",
    created_at: before(40),
    started_at: before(30),
  } as TaskStatus;
  const said = (windowSeconds: number, more: Partial<TaskStatus> = {}) =>
    duplicateOf({ ...status, ...more }, { windowSeconds, now: NOW });
  assert.equal(
    said(100),
    "this task is already success (worker w1); until 2026-05-04T12:01:00.000Z its id means the same task (worker.duplicate_window)",
  );
  assert.match(said(10), /was accepted after this request was signed/);
  assert.equal(
    said(100, { state: "running" }),
    "this task is already running (worker w1)",
  );
});

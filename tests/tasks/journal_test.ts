import assert from "node:assert/strict";
import { NO_PROGRESS, type TaskState } from "../../src/messages/task_status.ts";
import { Topics } from "../../src/messages/topics.ts";
import { Journal } from "../../src/tasks/journal.ts";
import type { PublishedStatus } from "../../src/tasks/published_status.ts";

const TOPICS = new Topics("ansible", "test");
const STARTED = "2026-05-04T12:00:01.000Z";

/** A task, as this worker has published it. */
function seen(
  task_id: string,
  state: TaskState,
  properties: PublishedStatus["properties"] = {},
): PublishedStatus {
  const completed_at = state === "running" ? null : STARTED;
  return {
    status: {
      task_id,
      state,
      created_at: STARTED,
      started_at: STARTED,
      completed_at,
      duration_seconds: 1,
      return_code: null,
      error_message: null,
      playbook: "p.yml",
      inventory: "hosts",
      template: null,
      revision: null,
      lock: null,
      worker_id: "me",
      ...NO_PROGRESS,
    },
    token: "now.1",
    from: null,
    held: true,
    properties,
  };
}

/** A journal in a file that is an array. */
function journalOf(
  lines: string[],
  { workerId = "me", topics = TOPICS, append }: {
    workerId?: string;
    topics?: Topics;
    append?: (line: string) => Promise<void>;
  } = {},
) {
  const errors: string[] = [];
  const journal = new Journal({
    file: {
      lines: [...lines],
      append: append ?? ((line) => Promise.resolve(void lines.push(line))),
    },
    topics,
    workerId,
    windowSeconds: 3600,
    log: {
      debug() {},
      info() {},
      warn() {},
      error: (text) => errors.push(text),
    },
  });
  return { errors, journal };
}

Deno.test("journal: the next process knows what has begun, and what has ended", async () => {
  const lines: string[] = [];
  const { journal } = journalOf(lines);
  const answer = {
    responseTopic: "answers",
    correlationData: new Uint8Array([0, 255, 10]),
  };
  for (const id of ["a", "b", "c"]) {
    await journal.begun(seen(id, "running", answer));
  }
  await journal.ended(seen("b", "failed", answer));
  await journal.ended(seen("c", "success", answer));
  journal.told(seen("c", "success"));
  await Promise.resolve();
  const events = lines.map((line) => JSON.parse(line)).map((entry) =>
    `${entry.event} ${entry.task_id}`
  );
  assert.deepEqual(events, [
    "begun a",
    "begun b",
    "begun c",
    "ended b",
    "ended c",
    "told c",
  ]);
  const { journal: next } = journalOf(lines);
  assert.deepEqual(next.tasks(), { begun: ["a"], ended: ["b", "c"] });
  const { properties, status, token } = next.known("b")!;
  assert.equal(status.state, "failed");
  assert.equal(token, "now.1");
  assert.equal(properties.responseTopic, "answers");
  assert.deepEqual([...properties.correlationData!], [0, 255, 10]);
  assert.equal(next.known("d"), null);
});

Deno.test("journal: what has not begun here does not end here", async () => {
  const lines: string[] = [];
  const { journal } = journalOf(lines);
  await journal.ended(seen("a", "cancelled"));
  journal.told(seen("a", "cancelled"));
  assert.deepEqual(lines, []);
});

Deno.test("journal: lines of others and broken ones are passed over", async () => {
  const lines: string[] = [];
  await journalOf(lines).journal.begun(seen("a", "running"));
  const [line] = lines as [string];
  lines.push(line.slice(0, 40), "{}", "null");
  assert.deepEqual(journalOf(lines).journal.tasks().begun, ["a"]);
  assert.deepEqual(
    journalOf(lines, { workerId: "you" }).journal.tasks().begun,
    [],
  );
  const topics = new Topics("ansible", "other");
  assert.deepEqual(journalOf(lines, { topics }).journal.tasks().begun, []);
});

Deno.test("journal: where it cannot be written nothing begins, and an end is known all the same", async () => {
  let full = true;
  const append = () =>
    full ? Promise.reject(new Error("no space")) : Promise.resolve();
  const { errors, journal } = journalOf([], { append });
  await assert.rejects(journal.begun(seen("a", "running")), /no space/);
  assert.equal(journal.known("a"), null);
  full = false;
  await journal.begun(seen("a", "running"));
  full = true;
  await journal.ended(seen("a", "success"));
  assert.equal(journal.known("a")!.status.state, "success");
  assert.equal(errors.length, 1);
});

Deno.test("journal: without a file nothing is written and nothing is known", async () => {
  const journal = new Journal({
    file: null,
    topics: TOPICS,
    workerId: "me",
    windowSeconds: 3600,
    log: { debug() {}, info() {}, warn() {}, error() {} },
  });
  await journal.begun(seen("a", "running"));
  await journal.ended(seen("a", "success"));
  assert.equal(journal.known("a"), null);
});

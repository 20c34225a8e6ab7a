import assert from "node:assert/strict";
import {
  encodeTaskStatus,
  shortenTaskStatus,
  type TaskStatus,
  taskStatusSchema,
} from "../../src/messages/task_status.ts";
import { finalStatus } from "../harness/final_status.ts";

const LARGE: TaskStatus = JSON.parse(finalStatus("t", {
  state: "failed",
  error_message: '"ä\n'.repeat(1000),
  failed_hosts: {
    names: Array.from({ length: 1000 }, (_, i) => `host-${i}.example.org`),
    more: 7,
  },
  unreachable_hosts: { names: ["lost"], more: 0 },
  stats: { run: { text: "x".repeat(60_000) }, hosts: {} },
}));

/** A status of at most so many bytes. */
function shortened(bytes: number): TaskStatus {
  const text = shortenTaskStatus(LARGE, bytes);
  assert.ok(text !== null);
  assert.ok(new TextEncoder().encode(text).length <= bytes, String(bytes));
  return taskStatusSchema.parse(JSON.parse(text));
}

Deno.test("a status is shortened as little as it has to be", () => {
  assert.equal(shortenTaskStatus(LARGE, 200_000), encodeTaskStatus(LARGE));
  assert.deepEqual(shortened(60_000), { ...LARGE, stats: null });
  const fewer = shortened(20_000);
  assert.deepEqual(
    [fewer.failed_hosts.names.length, fewer.failed_hosts.more],
    [500, 507],
  );
  assert.equal(fewer.error_message, LARGE.error_message);
  const least = shortened(2_000);
  assert.deepEqual(least.failed_hosts, { names: [], more: 1007 });
  assert.deepEqual(least.unreachable_hosts, { names: [], more: 1 });
  assert.match(least.error_message!, /^"ä\n.*… \(shortened: .*\)$/s);
  assert.equal(least.state, "failed");
  assert.equal(shortenTaskStatus(LARGE, 10), null);
});

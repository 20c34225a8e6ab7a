import assert from "node:assert/strict";
import { readBid } from "../../src/tasks/published_status.ts";
import { finalStatus } from "../harness/final_status.ts";

function read(status: Record<string, unknown>) {
  return readBid({
    topic: "ansible/test/tasks/t/status",
    payload: new TextEncoder().encode(JSON.stringify(status)),
    retained: true,
    properties: {},
  })?.value.status;
}

Deno.test("a status of another version is read as far as it goes", () => {
  const now = JSON.parse(finalStatus("t", { template: "deploy-web" }));
  assert.deepEqual(read(now), now);
  const {
    template: _,
    revision: _r,
    failed_hosts: _f,
    unreachable_hosts: _u,
    stats: _s,
    ...old
  } = now;
  assert.deepEqual(read(old), {
    ...old,
    template: null,
    revision: null,
    lock: null,
    failed_hosts: { names: [], more: 0 },
    unreachable_hosts: { names: [], more: 0 },
    stats: null,
  });
  assert.equal(read({ ...now, lock: "production" })?.state, "success");
  const { state: _state, ...none } = now;
  assert.equal(read(none), undefined);
  assert.equal(read({ ...now, tasks_ok: -1 }), undefined);
});

import assert from "node:assert/strict";
import { group } from "../faults/group.ts";
import { IMPATIENT } from "../harness/worker.ts";

const PREFIX = "ansible/test";

Deno.test("everyone runs it, each once, also one that was away when it was asked for", async () => {
  await using g = await group();
  const { client, project } = g;
  const [, two] = [await g.start("w1"), await g.start("w2")];
  await two.kill();
  await client.publish(
    `${PREFIX}/everyone/tasks`,
    JSON.stringify(project.work("all")),
    { qos: 2 },
  );
  const one = await client.final("all@w1");
  assert.deepEqual([one.state, one.worker_id], ["success", "w1"]);
  assert.deepEqual(client.history("all@w2"), []);
  await g.start("w2");
  const other = await client.final("all@w2");
  assert.deepEqual([other.state, other.worker_id], ["success", "w2"]);
  const starts = (await project.truth()).filter(({ what }) => what === "start");
  assert.deepEqual(starts.map(({ worker }) => worker), ["w1", "w2"]);
});

Deno.test("a cancel by the common id ends each worker's part", async () => {
  await using g = await group();
  const { client, project } = g;
  await Promise.all([g.start("w1"), g.start("w2")]);
  await client.publish(
    `${PREFIX}/everyone/tasks`,
    JSON.stringify(project.work("all", { seconds: 60 })),
    { qos: 2 },
  );
  const parts = ["all@w1", "all@w2"];
  await Promise.all(
    parts.map((id) => client.status(id, ({ state }) => state === "running")),
  );
  await client.cancel("all", "enough");
  const ends = await Promise.all(parts.map((id) => client.final(id)));
  assert.deepEqual(ends.map(({ state }) => state), ["cancelled", "cancelled"]);
});

Deno.test("an id that has no room for the worker's is refused, with the place", async () => {
  await using g = await group();
  const { client, project } = g;
  await g.start("w1");
  await client.publish(
    `${PREFIX}/everyone/tasks`,
    JSON.stringify(project.work("x".repeat(126))),
    { qos: 2 },
  );
  await client.message("the report", ({ topic }) => topic.endsWith("rejected"));
  const [rejected] = client.rejected();
  assert.deepEqual(rejected!.errors, [{
    path: "task_id",
    message:
      'must be at most 125 characters in a request for everyone, since "@w1" is added here',
  }]);
});

Deno.test("what one worker is asked for it alone runs: it is not handed over, and fails with that worker", async () => {
  await using g = await group();
  const { client, project } = g;
  const one = await g.start("w1", { inner: IMPATIENT });
  const two = await g.start("w2", { inner: IMPATIENT });
  const ask = (id: string, seconds: number) =>
    client.publish(
      `${PREFIX}/workers/w2/tasks`,
      JSON.stringify(project.work(id, { seconds })),
      { qos: 2 },
    );
  await ask("first", 0.5);
  await ask("second", 0.5);
  const ends = await Promise.all(
    ["first", "second"].map((id) => client.final(id)),
  );
  assert.deepEqual(
    ends.map(({ state, worker_id }) => `${state} ${worker_id}`),
    ["success w2", "success w2"],
    "w1 was idle",
  );
  await ask("runs", 60);
  await project.started("runs");
  await ask("waits", 0);
  await client.status("waits", ({ state }) => state === "queued");
  // It adopts soon: what comes later is to come before that.
  one.signal("SIGSTOP");
  await two.kill();
  await ask("comes-later", 0);
  one.signal("SIGCONT");
  assert.match(
    (await client.final("runs")).error_message!,
    /the worker stopped while this task was running/,
  );
  assert.equal(
    (await client.final("waits")).error_message,
    "its worker is gone",
  );
  assert.equal(
    (await client.final("comes-later")).error_message,
    "its worker is gone",
  );
});

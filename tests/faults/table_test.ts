import assert from "node:assert/strict";
import { allFinal, keptPromises, nothingHeld } from "../harness/verdict.ts";
import { group, many, test } from "./group.ts";

test("a worker that is killed and comes back loses nothing and repeats nothing", async () => {
  await using g = await group();
  const { client, project } = g;
  const ids = many(6);
  const first = await g.start("w1");
  for (const id of ids) {
    await client.submit(project.work(id, { seconds: id === "t-0" ? 60 : 0.2 }));
  }
  await project.started("t-0");
  await client.status("t-0", ({ tasks_total }) => tasks_total === 1);
  await first.kill();
  await project.quiet();
  const second = await g.start("w1");
  await allFinal(client, ids);
  const count = await keptPromises(project, client, ids);
  assert.deepEqual(count, { failed: 1, success: 5 });
  const [failed] = client.history("t-0").filter(({ state }) =>
    state === "failed"
  );
  assert.equal(
    failed!.error_message,
    "the worker stopped while this task was running",
  );
  assert.equal(failed!.tasks_total, 1, "with its last counters");
  await nothingHeld(client, g.broker.port, ["w1"]);
  assert.equal(await second.stop(), 0);
});

test("a full queue hands over to a peer with room before it refuses", async () => {
  await using g = await group();
  const { client, project } = g;
  const options = { worker: { max_queue_size: 3 } };
  await g.start("w1", options);
  await g.start("w2", options);
  // All to one of the two, as what a peer hands over.
  const properties = { userProperties: { "ansible-worker-from": "" } };
  const ids = many(8);
  for (const id of ids) {
    await client.publish(
      "ansible/test/workers/w1/tasks",
      JSON.stringify(project.work(id, { seconds: 1 })),
      { qos: 2, properties },
    );
  }
  await allFinal(client, ids);
  assert.deepEqual(await keptPromises(project, client, ids), { success: 8 });
  const by = new Set((await project.truth()).map(({ worker }) => worker));
  assert.equal(by.size, 2);
});

test("a cancel ends what waits and what runs, wherever it is, and nothing else", async () => {
  await using g = await group();
  const { client, project } = g;
  await g.start("w1");
  await g.start("w2");
  const ids = many(8);
  // One in each slot: nothing else starts before they end.
  for (const id of ids.slice(0, 2)) {
    await client.submit(project.work(id, { held: true }));
    await project.started(id);
  }
  for (const id of ids.slice(2)) await client.submit(project.work(id));
  await client.status("t-7", ({ state }) => state === "queued");
  await client.cancel("t-7");
  await client.cancel("t-6", "no need");
  for (const id of ["t-6", "t-7"]) {
    assert.equal((await client.final(id)).state, "cancelled");
  }
  await client.cancel("t-0", "stop it");
  assert.equal((await client.final("t-0")).state, "cancelled");
  await project.release("t-1");
  const [queued] = client.history("t-6").filter(({ state }) =>
    state === "cancelled"
  );
  assert.equal(queued!.error_message, "cancelled: no need");
  assert.equal(queued!.started_at, null);
  // Of one that comes later, and of one that has ended.
  await client.cancel("later", "changed my mind");
  await client.submit(project.work("later"));
  assert.equal((await client.final("later")).state, "cancelled");
  await allFinal(client, ids);
  await client.cancel("t-1");
  // A retained one is ignored.
  await client.publish("ansible/test/tasks/kept/cancel", "", {});
  await client.publish("ansible/test/tasks/kept/cancel", "{}", {
    retain: true,
  });
  await client.run(project.work("last"));
  assert.deepEqual(await keptPromises(project, client, [...ids, "later"]), {
    success: 5,
    cancelled: 4,
  });
});

test("a message that expires before its task starts is cancelled, and says so", async () => {
  await using g = await group();
  const { client, project } = g;
  await g.start("w1");
  await client.submit(project.work("long", { seconds: 600 }));
  await client.submit(project.work("short"), { messageExpiryInterval: 2 });
  const final = await client.final("short");
  assert.equal(final.state, "cancelled");
  assert.match(final.error_message!, /expired before the task could start/);
  // While what it waited for is still there.
  await client.cancel("long");
  assert.equal((await client.final("long")).state, "cancelled");
  assert.deepEqual(await keptPromises(project, client, ["long", "short"]), {
    cancelled: 2,
  });
});

test("SIGHUP reads the configuration again, and says what needs a restart", async () => {
  await using g = await group();
  const { client, project } = g;
  const worker = await g.start("w1");
  const file = project.path("w1.yaml");
  const config = JSON.parse(await Deno.readTextFile(file));
  config.worker.task_timeout = 1;
  config.worker.max_queue_size = 7;
  await Deno.writeTextFile(file, JSON.stringify(config));
  worker.signal("SIGHUP");
  await worker.logged("the configuration was read again");
  await worker.logged("needs_restart=worker.max_queue_size");
  const final = await client.run(project.work("t", { seconds: 20 }));
  assert.equal(final.state, "timeout");
  await Deno.writeTextFile(file, "mqtt: {}\n");
  worker.signal("SIGHUP");
  await worker.logged("the configuration is not valid; nothing is changed");
  // The limit of 1 s still holds, and a start may take as long.
  const next = await client.run(project.work("u", { timeout: 60 }));
  assert.equal(next.state, "success");
});

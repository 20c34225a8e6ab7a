import assert from "node:assert/strict";
import { allFinal, keptPromises } from "../harness/verdict.ts";
import { pause, until, within } from "../harness/waiting.ts";
import { Worker } from "../harness/worker.ts";
import { group, many, test } from "./group.ts";

test("a second worker with an id that is in use says so and exits with 1", async () => {
  await using g = await group();
  const { broker, client, project } = g;
  const first = await g.start("w1");
  await using second = await Worker.spawn({ project, port: broker.port });
  const { code } = await within("its end", second.exited);
  assert.equal(code, 1);
  await second.logged('the worker id "w1" is in use');
  assert.equal((await client.run(project.work("t"))).state, "success");
  assert.ok(!first.log.includes("no connection"), "the first was left alone");
});

test("two workers that start at once with one id do not fight: one stays", async () => {
  await using g = await group();
  const { broker, client, project } = g;
  const both = await Promise.all(
    [1, 2].map(() => Worker.spawn({ project, port: broker.port })),
  );
  try {
    await within(
      "the end of one",
      Promise.race(both.map(({ exited }) => exited)),
    );
    await until(
      "the other one",
      () =>
        both.some(({ isOver, log }) =>
          !isOver && log.includes("ready for tasks")
        ),
    );
    assert.equal((await client.run(project.work("t"))).state, "success");
  } finally {
    for (const one of both) await one[Symbol.asyncDispose]();
  }
});

test("an id is run once in the group, whoever sends it again, and it is said", async () => {
  await using g = await group();
  const { client, project } = g;
  await g.start("w1");
  await g.start("w2");
  const ids = many(10);
  for (const id of ids) {
    // Three at once, which the broker gives to different workers.
    await Promise.all(
      [1, 2, 3].map(() => client.submit(project.work(id, { seconds: 0.2 }))),
    );
  }
  await allFinal(client, ids);
  // And again, now that they have ended.
  for (const id of ids) await client.submit(project.work(id));
  await until("the reports", () => client.rejected().length === 30);
  assert.deepEqual(await keptPromises(project, client, ids), { success: 10 });
  for (const { reason, errors } of client.rejected()) {
    assert.equal(reason, "duplicate");
    const [{ message }] = errors as [{ message: string }];
    assert.match(
      message,
      /already (queued|running|success)|at the same moment/,
    );
  }
});

test("with duplicate_window: 0 an id may be used again after its end", async () => {
  await using g = await group();
  const { client, project } = g;
  await g.start("w1", { worker: { duplicate_window: 0 } });
  await client.run(project.work("t"));
  const ends = () =>
    client.history("t").filter(({ completed_at }) => completed_at).length;
  await client.submit(project.work("t"));
  await until("the second end", () => ends() === 2);
});

test("an offer that was taken back is not answered by the peer that has no room", async () => {
  await using g = await group();
  const { client, project } = g;
  await g.start("w2", { worker: { max_queue_size: 1 } });
  await client.submit(project.work("runs", { seconds: 600 }));
  await project.started("runs");
  await client.submit(project.work("waits"));
  await client.status("waits", ({ state }) => state === "queued");

  // A peer of its own kind, which offers a task, and takes it back: a full one
  // waits a second to hear of room.
  const base = "ansible/test";
  const presence = await client.message(
    "the worker's presence",
    ({ topic }) => topic === `${base}/workers/w2/status`,
  );
  const retained = (
    topic: string,
    value: unknown,
    userProperties?: Record<string, string>,
  ) =>
    client.publish(`${base}/${topic}`, JSON.stringify(value), {
      retain: true,
      ...(userProperties && { properties: { userProperties } }),
    });
  await retained("workers/w1/status", {
    ...JSON.parse(presence.text),
    worker_id: "w1",
    instance: "x",
  });
  const request = project.work("moves");
  const queued = {
    ...(client.history("waits")[0]!),
    task_id: request.task_id,
    worker_id: "w1",
  };
  await retained("tasks/moves/status", queued, { token: "x.1", seq: "1" });
  await client.publish(`${base}/workers/w2/tasks`, JSON.stringify(request), {
    qos: 2,
    properties: {
      userProperties: {
        "ansible-worker-from": "x.1",
        "ansible-worker-hops": "1",
      },
    },
  });
  await pause(0.4);
  await retained("tasks/moves/status", queued, {
    token: "x.2",
    seq: "1",
    from: "x.1",
  });
  // Another one, which has no holder, is refused as ever, and after it.
  await client.submit(project.work("fresh"));
  assert.match((await client.final("fresh")).error_message!, /queue full/);
  const ends = client.history("moves").filter(({ completed_at }) =>
    completed_at !== null
  );
  assert.deepEqual(ends, []);
  await client.cancel("waits");
  await client.cancel("runs");
  await client.final("runs");
});

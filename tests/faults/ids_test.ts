import assert from "node:assert/strict";
import { allFinal, keptPromises } from "../harness/verdict.ts";
import { until, within } from "../harness/waiting.ts";
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
      () => both.some(({ log }) => log.includes("ready for tasks")),
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

import assert from "node:assert/strict";
import { Broker } from "../harness/broker.ts";
import { Client } from "../harness/client.ts";
import { Project } from "../harness/project.ts";
import { Proxy } from "../harness/proxy.ts";
import { allFinal, keptPromises, nothingHeld } from "../harness/verdict.ts";
import { pause } from "../harness/waiting.ts";
import { Worker } from "../harness/worker.ts";
import { crashRun } from "./crash_run.ts";
import { group, many, test } from "./group.ts";

test("a broker that restarts with its sessions delivers again, and nothing is lost", async () => {
  await using g = await group();
  const { broker, client, project } = g;
  const workers = [await g.start("w1"), await g.start("w2")];
  const ids = many(12);
  for (const id of ids) await client.submit(project.work(id, { seconds: 0.5 }));
  await project.started("t-0");
  await broker.stop();
  await pause(1.5);
  await broker.start();
  // Until a worker subscribes again, a message reaches nobody: see docs/operations.md.
  await Promise.all(
    workers.map((worker) => worker.logged("connected to the broker", 4)),
  );
  await client.submit(project.work("after"));
  await allFinal(client, [...ids, "after"]);
  assert.deepEqual(await keptPromises(project, client, [...ids, "after"]), {
    success: 13,
  });
  await nothingHeld(client, broker.port, ["w1", "w2"]);
});

test("a broker that loses its sessions: the workers run what they hold", async () => {
  await using broker = await Broker.start();
  await using project = await Project.create();
  await using client = await Client.connect(broker.port);
  await using worker = await Worker.start({ project, port: broker.port });
  const ids = many(6);
  for (const id of ids) await client.submit(project.work(id, { seconds: 0.5 }));
  await client.status("t-5", ({ state }) => state === "queued");
  await broker.kill();
  await pause(1);
  await broker.start();
  await allFinal(client, ids);
  assert.deepEqual(await keptPromises(project, client, ids), { success: 6 });
  await nothingHeld(client, broker.port, ["w1"]);
  assert.equal(await worker.stop(), 0);
});

test("a broker that crashes again and again, and forgets its latest minutes, is put right", async () => {
  await crashRun(4);
});

test("a run that ends while the broker is away: the log says at once how, and its status follows", async () => {
  await using g = await group();
  const { broker, client, project } = g;
  const worker = await g.start("w1");
  await client.submit(project.work("t-0", { held: true }));
  await project.started("t-0");
  await broker.stop();
  await project.release("t-0");
  await worker.logged("the task ended: success");
  await broker.start();
  await allFinal(client, ["t-0"]);
  assert.deepEqual(await keptPromises(project, client, ["t-0"]), {
    success: 1,
  });
});

for (const how of ["cut", "stall", "halfClose", "delay"] as const) {
  test(`a network that does this for a while: ${how}; runs go on, nothing is lost`, async () => {
    await using g = await group();
    const { broker, client, project } = g;
    await using proxy = Proxy.to(broker.port);
    await g.start("w1", { port: proxy.port, mqtt: { keepalive: 5 } });
    await g.start("w2");
    const ids = many(10);
    for (const id of ids) {
      await client.submit(project.work(id, { seconds: 0.7 }));
    }
    await project.started("t-0");
    await (how === "delay" ? proxy.delay(300) : proxy[how]());
    await pause(4);
    proxy.heal();
    await allFinal(client, ids);
    assert.deepEqual(await keptPromises(project, client, ids), { success: 10 });
    await nothingHeld(client, broker.port, ["w1", "w2"]);
  });
}

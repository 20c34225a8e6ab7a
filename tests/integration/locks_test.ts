import assert from "node:assert/strict";
import { Broker } from "../harness/broker.ts";
import { Client } from "../harness/client.ts";
import { Ticking } from "../harness/overlaps.ts";
import { Project } from "../harness/project.ts";
import { Worker } from "../harness/worker.ts";

Deno.test({
  name: "tasks with one lock run one at a time, and hold up no other",
  sanitizeOps: true,
  sanitizeResources: true,
  async fn() {
    await using broker = await Broker.start();
    await using project = await Project.create();
    const ticking = await Ticking.in(project);
    await using client = await Client.connect(broker.port);
    const start = (id: string) =>
      Worker.start({
        project,
        port: broker.port,
        id,
        worker: { max_concurrent_tasks: 2 },
      });
    await using one = await start("w1");
    await using two = await start("w2");
    const ids = Array.from({ length: 6 }, (_, i) => `t-${i}`);
    for (const id of ids) {
      await client.submit(ticking.request(id, { seconds: 0.5, lock: "web" }));
    }
    const waits = await client.status(
      "t-5",
      ({ state, current_task }) => state === "queued" && current_task !== null,
    );
    assert.equal(waits.current_task, "waits for lock web");
    assert.equal(waits.lock, "web");
    const free = await client.run(project.work("free"));
    assert.equal(free.lock, null);
    assert.ok(
      client.history("t-5").every(({ completed_at }) => completed_at === null),
      "what has no lock was through before",
    );
    const finals = await Promise.all(ids.map((id) => client.final(id)));
    assert.deepEqual(
      finals.map(({ state }) => state),
      ids.map(() => "success"),
    );
    assert.deepEqual(await ticking.overlaps(() => "web"), []);
    assert.deepEqual(await Promise.all([one.stop(), two.stop()]), [0, 0]);
    const left = JSON.parse(
      (await client.retained(broker.port, "ansible/test/locks/web"))!,
    );
    assert.equal(left.state, "free");
    assert.equal(left.generation, 6);
  },
});

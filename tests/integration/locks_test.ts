import assert from "node:assert/strict";
import { Broker } from "../harness/broker.ts";
import { Client } from "../harness/client.ts";
import { at, run } from "../harness/client_program.ts";
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

Deno.test({
  name: "what waits in one slot of one worker starts as it came",
  sanitizeOps: true,
  sanitizeResources: true,
  async fn() {
    await using broker = await Broker.start();
    await using project = await Project.create();
    await using client = await Client.connect(broker.port);
    await using worker = await Worker.start({ project, port: broker.port });
    const ids = Array.from({ length: 12 }, (_, i) => `t-${i}`);
    for (const id of ids) await client.submit(project.work(id));
    await Promise.all(ids.map((id) => client.final(id)));
    const starts = (await project.truth()).filter(({ what }) =>
      what === "start"
    );
    assert.deepEqual(starts.map(({ id }) => id), ids);
    assert.equal(await worker.stop(), 0);
  },
});

Deno.test({
  name: "with lock_by, the inventory is the lock of what names none",
  sanitizeOps: true,
  sanitizeResources: true,
  async fn() {
    await using broker = await Broker.start();
    await using project = await Project.create();
    const ticking = await Ticking.in(project);
    await using client = await Client.connect(broker.port);
    await using worker = await Worker.start({
      project,
      port: broker.port,
      worker: { max_concurrent_tasks: 2, lock_by: "inventory" },
    });
    const ids = ["a", "b"];
    for (const id of ids) {
      await client.submit(ticking.request(id, { seconds: 0.5 }));
    }
    const finals = await Promise.all(ids.map((id) => client.final(id)));
    assert.deepEqual(finals.map(({ lock }) => lock), [
      "inventory:hosts",
      "inventory:hosts",
    ]);
    assert.deepEqual(await ticking.overlaps(() => "hosts"), []);
    const other = await client.run({
      ...project.work("c"),
      inventory: "./hosts",
      lock: "other",
    });
    assert.equal(other.lock, "other");
    assert.equal(await worker.stop(), 0);
  },
});

Deno.test({
  name: "tasks and watch say what waits, and for which task",
  sanitizeOps: true,
  sanitizeResources: true,
  async fn() {
    await using broker = await Broker.start();
    await using project = await Project.create();
    await using client = await Client.connect(broker.port);
    await using worker = await Worker.start({
      project,
      port: broker.port,
      worker: { max_concurrent_tasks: 2 },
    });
    const locked = (id: string) =>
      client.submit(project.work(id, { seconds: 60, lock: "web" }));
    await locked("first");
    await client.status("first", ({ state }) => state === "running");
    await locked("second");
    await client.status("second", ({ current_task }) => current_task !== null);
    const { stdout } = await run(["tasks", ...at(broker.port)]);
    assert.match(
      stdout,
      /^second +queued .*waits for lock web, held by first at w1$/m,
    );
    const wrong = await run([
      ...["submit", "work.yml", "-i", "hosts", "--lock", "a/b"],
      ...at(broker.port),
    ]);
    assert.equal(wrong.code, 106);
    assert.match(wrong.stderr, /--lock: must be 1 to 128 characters of A-Z/);
    await Promise.all(["first", "second"].map((id) => client.cancel(id)));
    await client.final("first");
    assert.equal((await client.final("second")).state, "cancelled");
    assert.equal(await worker.stop(), 0);
  },
});

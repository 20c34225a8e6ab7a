import assert from "node:assert/strict";
import { Broker } from "../harness/broker.ts";
import { Client } from "../harness/client.ts";
import { Project } from "../harness/project.ts";
import { allFinal } from "../harness/verdict.ts";
import { Worker } from "../harness/worker.ts";

Deno.test({
  name: "300 requests at once into a queue of 30: each has one final status",
  sanitizeOps: true,
  sanitizeResources: true,
  async fn() {
    await using broker = await Broker.start({
      extra: ["max_queued_messages 0"],
    });
    await using project = await Project.create();
    await using client = await Client.connect(broker.port);
    await using worker = await Worker.start({
      project,
      port: broker.port,
      worker: { max_concurrent_tasks: 2, max_queue_size: 30 },
    });
    const ids = Array.from({ length: 300 }, (_, i) => `t-${i}`);
    for (let i = 0; i < ids.length; i += 20) {
      await Promise.all(
        ids.slice(i, i + 20).map((id) => client.submit(project.work(id))),
      );
    }
    await allFinal(client, ids);
    const finals = await Promise.all(ids.map((id) => client.final(id)));
    const states = Map.groupBy(finals, ({ state }) => state);
    const succeeded = states.get("success")?.length ?? 0;
    const refused = states.get("failed") ?? [];
    console.log(`${succeeded} run, ${refused.length} refused`);
    assert.equal(succeeded + refused.length, ids.length);
    assert.ok(succeeded >= 32);
    for (const { error_message, started_at } of refused) {
      assert.equal(error_message, "queue full (30)");
      assert.equal(started_at, null);
    }
    for (const id of ids) {
      const ends = client.history(id).filter(({ completed_at }) =>
        completed_at
      );
      assert.equal(ends.length, 1, id);
    }
    const starts = (await project.truth()).filter(({ what }) =>
      what === "start"
    );
    assert.equal(starts.length, succeeded);
    assert.equal(new Set(starts.map(({ id }) => id)).size, succeeded);
    assert.ok(!worker.log.includes("no connection"), "it was never cut off");
    assert.equal((await client.run(project.work("next"))).state, "success");
    assert.equal(await worker.stop(), 0);
  },
});

Deno.test({
  name:
    "when_full: wait leaves with the broker what does not fit, and runs all",
  sanitizeOps: true,
  sanitizeResources: true,
  async fn() {
    await using broker = await Broker.start({
      extra: ["max_queued_messages 0"],
    });
    await using project = await Project.create();
    await using client = await Client.connect(broker.port);
    await using worker = await Worker.start({
      project,
      port: broker.port,
      worker: { max_queue_size: 5, when_full: "wait", max_concurrent_tasks: 2 },
    });
    const ids = Array.from({ length: 40 }, (_, i) => `t-${i}`);
    await Promise.all(
      ids.map((id) => client.submit(project.work(id, { seconds: 0.1 }))),
    );
    const finals = await Promise.all(ids.map((id) => client.final(id)));
    assert.ok(finals.every(({ state }) => state === "success"));
    const starts = (await project.truth()).filter(({ what }) =>
      what === "start"
    );
    assert.equal(starts.length, 40);
    const present = new Set<string>();
    let most = 0;
    for (const { topic, text } of client.messages) {
      if (!/\/tasks\/[^/]+\/status$/.test(topic)) continue;
      const { task_id, completed_at } = JSON.parse(text);
      if (completed_at === null) present.add(task_id);
      else present.delete(task_id);
      most = Math.max(most, present.size);
    }
    console.log(`at most ${most} of 40 tasks were with the worker at once`);
    assert.ok(most <= 5 + 2, "what does not fit is not taken");
    assert.equal(await worker.stop(), 0);
  },
});

Deno.test({
  name: "a request of 1 MB runs, and a larger one is reported",
  sanitizeOps: true,
  sanitizeResources: true,
  async fn() {
    await using broker = await Broker.start();
    await using project = await Project.create();
    await using client = await Client.connect(broker.port);
    await using worker = await Worker.start({ project, port: broker.port });
    const request = project.work("big") as ReturnType<typeof project.work> & {
      extra_vars: Record<string, unknown>;
    };
    request.extra_vars = { ...request.extra_vars, pad: "" };
    const room = 1024 * 1024 - JSON.stringify(request).length;
    request.extra_vars.pad = "x".repeat(room);
    assert.equal(JSON.stringify(request).length, 1024 * 1024);
    assert.equal((await client.run(request)).state, "success");

    request.extra_vars.pad += "x";
    await client.submit({ ...request, task_id: "large" });
    const { text } = await client.message(
      "the report",
      ({ topic }) => topic === "ansible/test/rejected",
    );
    const report = JSON.parse(text);
    assert.equal(report.reason, "too_large");
    assert.ok(text.length < 2000);
    assert.equal((await client.run(project.work("next"))).state, "success");
    assert.equal(await worker.stop(), 0);
  },
});

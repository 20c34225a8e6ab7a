/** What workers publish is what `ansible-worker schema` says. */
import assert from "node:assert/strict";
import { Broker } from "../harness/broker.ts";
import { Client, open } from "../harness/client.ts";
import { Project } from "../harness/project.ts";
import { Worker } from "../harness/worker.ts";

Deno.test({
  name: "every kind of message that a worker publishes is valid by its schema",
  sanitizeOps: true,
  sanitizeResources: true,
  async fn() {
    await using project = await Project.create({
      "fail.yml": "- hosts: all\n  tasks: [{ fail: { msg: no } }]\n",
    });
    await using broker = await Broker.start();
    await using client = await Client.connect(broker.port);
    await using worker = await Worker.start({ project, port: broker.port });
    assert.equal((await client.run(project.work("t-1"))).state, "success");
    await client.submit({ task_id: "t-2", playbook: "fail.yml" });
    await client.submit({
      ...project.work("t-2"),
      playbook: "fail.yml",
      limit: null,
    });
    assert.equal((await client.final("t-2")).state, "failed");
    await client.submit(project.work("t-3", { seconds: 600 }));
    await project.started("t-3");
    await client.cancel("t-3", "enough");
    assert.equal((await client.final("t-3")).state, "cancelled");
    assert.equal(await worker.stop(), 0);
    for (const kind of ["status", "rejected", "presence", "load"]) {
      assert.ok((client.checked.get(kind) ?? 0) > 0, kind);
    }
  },
});

Deno.test({
  name: "a message that is not valid by its schema fails the test that saw it",
  sanitizeOps: true,
  sanitizeResources: true,
  async fn() {
    await using broker = await Broker.start();
    for (
      const [topic, text, wrong] of [
        ["ansible/test/tasks/t/status", "{}", /must have required property/],
        ["ansible/test/workers/w/load", "no", /it is no JSON/],
      ] as const
    ) {
      await using stranger = {
        mqtt: await open(broker.port),
        [Symbol.asyncDispose]() {
          return this.mqtt.endAsync(true);
        },
      };
      const client = await Client.connect(broker.port);
      await stranger.mqtt.publishAsync(topic, text, { qos: 1 });
      await client.message("it", (message) => message.topic === topic);
      await assert.rejects(
        async () => await client[Symbol.asyncDispose](),
        wrong,
      );

      // What a test itself publishes is its own business.
      const other = await Client.connect(broker.port);
      await other.publish(topic, text + " ");
      await other.message("it", (message) => message.topic === topic);
      await other[Symbol.asyncDispose]();
    }
  },
});

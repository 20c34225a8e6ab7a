import assert from "node:assert/strict";
import { Broker } from "../harness/broker.ts";
import { Client } from "../harness/client.ts";
import { Project } from "../harness/project.ts";
import { allFinal, keptPromises, nothingHeld } from "../harness/verdict.ts";
import { until } from "../harness/waiting.ts";
import { Worker } from "../harness/worker.ts";
import { powerCuts } from "./power_cuts.ts";

Deno.test({
  name:
    "worker and broker are killed at once, and the broker has forgotten minutes: nothing runs twice, and every end is true",
  sanitizeOps: true,
  sanitizeResources: true,
  fn: () => powerCuts(3),
});

for (const how of ["killed", "stopped"] as const) {
  Deno.test({
    name:
      `a run ends while the broker is away, and the worker is ${how} before it is back: its true end is published`,
    sanitizeOps: true,
    sanitizeResources: true,
    async fn() {
      await using broker = await Broker.start({ persistence: true });
      await using project = await Project.create();
      await using client = await Client.connect(broker.port);
      const options = {
        project,
        port: broker.port,
        worker: { journal: project.path("journal") },
      };
      await using worker = await Worker.start(options);
      await client.submit(project.work("t-0", { held: true }));
      await project.started("t-0");
      await broker.stop();
      await project.release("t-0");
      await worker.logged("the task ended: success");
      if (how === "killed") await worker.kill();
      else await worker.stop();
      await broker.start();
      await using again = await Worker.start(options);
      await allFinal(client, ["t-0"]);
      assert.deepEqual(await keptPromises(project, client, ["t-0"]), {
        success: 1,
      });
      await nothingHeld(client, broker.port, ["w1"]);
      // Its request, sent again, is the same task.
      await client.submit(project.work("t-0"));
      await client.message(
        "a rejection",
        ({ text, topic }) =>
          topic === "ansible/test/rejected" && text.includes("duplicate"),
      );
      assert.equal(await again.stop(), 0);
    },
  });
}

Deno.test({
  name: "a journal that cannot be written stops the start, and says why",
  sanitizeOps: true,
  sanitizeResources: true,
  async fn() {
    await using broker = await Broker.start();
    await using project = await Project.create();
    await using worker = await Worker.spawn({
      project,
      port: broker.port,
      worker: { journal: project.path("none/journal") },
    });
    assert.equal((await worker.exited).code, 1);
    await worker.ended();
    assert.match(
      worker.log,
      /cannot write the journal \S+none\/journal\S+: No such file or directory/,
    );
  },
});

Deno.test({
  name:
    "a run that cannot be written down does not begin, and its task says why",
  sanitizeOps: true,
  sanitizeResources: true,
  async fn() {
    await using broker = await Broker.start();
    await using project = await Project.create();
    await using client = await Client.connect(broker.port);
    await Deno.mkdir(project.path("state"));
    await using worker = await Worker.start({
      project,
      port: broker.port,
      worker: { journal: project.path("state/journal") },
    });
    await Deno.remove(project.path("state"), { recursive: true });
    const final = await client.run(project.work("t-0"));
    assert.equal(final.state, "failed");
    assert.match(
      final.error_message!,
      /cannot write the journal .*No such file or directory/,
    );
    assert.deepEqual(await project.truth(), []);
    // Once it can be written again, tasks run.
    await Deno.mkdir(project.path("state"));
    const next = await client.run(project.work("t-1"));
    assert.equal(next.state, "success");
    await until("the end", async () => {
      const text = await Deno.readTextFile(project.path("state/journal"));
      return text.includes('"event":"told","task_id":"t-1"');
    });
    assert.equal(await worker.stop(), 0);
  },
});

import assert from "node:assert/strict";
import { Broker } from "../harness/broker.ts";
import { Client } from "../harness/client.ts";
import { Project } from "../harness/project.ts";
import { allFinal, keptPromises, nothingHeld } from "../harness/verdict.ts";
import { PATIENCE, pause } from "../harness/waiting.ts";
import { Worker } from "../harness/worker.ts";

/**
 * How many tasks wait or run at most: more than the group has slots, and fewer
 * than a queue has places. What does not fit is refused, restart or not.
 */
const MOST_AT_ONCE = 20;

Deno.test({
  name: "a rolling restart under load: no task is failed or cancelled by it",
  sanitizeOps: true,
  sanitizeResources: true,
  async fn() {
    await using broker = await Broker.start({
      persistence: true,
      extra: ["max_queued_messages 0"],
    });
    await using project = await Project.create();
    await using client = await Client.connect(broker.port);
    const start = (id: string) =>
      Worker.start({
        project,
        port: broker.port,
        id,
        // On a busy machine a run lasts longer than it should.
        worker: { max_concurrent_tasks: 2, shutdown_grace: PATIENCE },
      });
    const names = ["w1", "w2", "w3"];
    const workers = await Promise.all(names.map(start));
    try {
      const ids: string[] = [];
      let restarted = false;
      const ended = new Set<string>();
      client.listen(({ topic, text }) => {
        if (text.includes('"completed_at":"')) ended.add(topic);
      });
      const load = (async () => {
        while (!restarted) {
          await pause(0.1);
          if (ids.length - ended.size >= MOST_AT_ONCE) continue;
          const id = `t-${ids.length}`;
          ids.push(id);
          await client.submit(project.work(id, { seconds: 2 }));
        }
      })();
      await pause(1);
      for (const [i, worker] of workers.entries()) {
        assert.equal(await worker.stop(), 0);
        await worker[Symbol.asyncDispose]();
        workers[i] = await start(names[i]!);
      }
      restarted = true;
      await load;
      await allFinal(client, ids);
      const count = await keptPromises(project, client, ids);
      console.log(`${ids.length} tasks: ${JSON.stringify(count)}`);
      const finals = await Promise.all(ids.map((id) => client.final(id)));
      assert.deepEqual(
        finals.filter(({ state }) => state !== "success"),
        [],
      );
      assert.deepEqual(count, { success: ids.length });
      await nothingHeld(client, broker.port, names);
    } finally {
      for (const worker of workers) await worker[Symbol.asyncDispose]();
    }
  },
});

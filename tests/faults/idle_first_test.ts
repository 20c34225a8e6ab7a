import assert from "node:assert/strict";
import { Broker } from "../harness/broker.ts";
import { Client } from "../harness/client.ts";
import { Project } from "../harness/project.ts";
import { allFinal, keptPromises } from "../harness/verdict.ts";
import { pause } from "../harness/waiting.ts";
import { Worker } from "../harness/worker.ts";

Deno.test({
  name: "an idle worker gets the next task: none waits behind a blocked one",
  sanitizeOps: true,
  sanitizeResources: true,
  async fn(t) {
    await using broker = await Broker.start();
    await using project = await Project.create();
    await using client = await Client.connect(broker.port);
    await using stack = new AsyncDisposableStack();
    for (const id of ["w1", "w2", "w3"]) {
      stack.use(await Worker.start({ project, port: broker.port, id }));
    }
    for (
      const [name, gap] of [["burst", 0], ["trickle", 0.4]] as const
    ) {
      await t.step(name, async () => {
        const blocker = `${name}-blocker`;
        await client.submit(project.work(blocker, { seconds: 600 }));
        await project.started(blocker);
        const ids = Array.from({ length: 30 }, (_, i) => `${name}-${i}`);
        const sent = new Map<string, number>();
        for (const id of ids) {
          sent.set(id, Date.now() / 1000);
          const sending = client.submit(project.work(id, { seconds: 0.1 }));
          if (gap > 0) {
            await sending;
            await pause(gap);
          }
        }
        await allFinal(client, ids);
        await keptPromises(project, client, ids);
        // From the moment of publishing to the start, by one clock.
        const finals = await Promise.all(ids.map((id) => client.final(id)));
        const waits = finals.map(({ task_id, started_at }) =>
          new Date(started_at!).getTime() / 1000 - sent.get(task_id)!
        ).sort((a, b) => a - b);
        const work = finals.reduce(
          (sum, one) => sum + one.duration_seconds!,
          0,
        );
        const accepted = ids.map((id) =>
          client.history(id).filter(({ state }) => state === "queued").length
        );
        const twice = accepted.filter((times) => times > 2).length;
        console.log(
          `${name}: waits in s: median ${waits[15]!.toFixed(3)}, longest ${
            waits.at(-1)!.toFixed(3)
          } (two workers that are never idle: ${
            (gap > 0 ? 0 : work / 2).toFixed(3)
          }); handed over ${
            accepted.filter((times) => times > 1).length
          }, more than once ${twice}`,
        );
        assert.ok(
          !(await project.truth()).some(({ id, what }) =>
            id === blocker && what === "end"
          ),
          "the blocked worker is still blocked",
        );
        assert.ok(twice <= 4);
        await client.cancel(blocker);
        await client.final(blocker);
      });
    }
  },
});

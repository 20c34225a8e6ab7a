import assert from "node:assert/strict";
import { Ticking } from "../harness/overlaps.ts";
import { until } from "../harness/waiting.ts";
import { IMPATIENT } from "../harness/worker.ts";
import { group, test } from "./group.ts";
import { lockedRun } from "./locked_run.ts";

test("no two tasks with one lock meet, amid kills, a long cut and adoptions", async () => {
  console.log(await lockedRun({ tasks: 20 }));
});

test("a lock whose holder is killed is given on: at its return, or when it is adopted", async () => {
  await using g = await group();
  const { broker, client, project } = g;
  const ticking = await Ticking.in(project);
  const first = await g.start("w1");
  await client.submit(ticking.request("t-0", { seconds: 60, lock: "web" }));
  await client.status("t-0", ({ state }) => state === "running");
  await g.start("w2", { inner: IMPATIENT });
  await client.submit(ticking.request("t-1", { seconds: 60, lock: "web" }));
  await client.status("t-1", ({ current_task }) => current_task !== null);
  await first.kill();
  await g.start("w1", { inner: IMPATIENT });
  const running = () =>
    client.status("t-1", ({ state }) => state === "running");
  const { worker_id } = await running();
  assert.ok(["w1", "w2"].includes(worker_id));
  assert.equal((await client.final("t-0")).state, "failed");
  await client.submit(ticking.request("t-2", { seconds: 0.1, lock: "web" }));
  await until(
    "a lock held by t-1",
    async () =>
      (await client.retained(broker.port, "ansible/test/locks/web"))!
        .includes('"task_id":"t-1"'),
  );
  await client.cancel("t-1");
  assert.equal((await client.final("t-2")).state, "success");
  await project.quiet();
  assert.deepEqual(await ticking.overlaps(() => "web"), []);
});

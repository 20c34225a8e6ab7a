import assert from "node:assert/strict";
import { allFinal, keptPromises, nothingHeld } from "../harness/verdict.ts";
import { until, within } from "../harness/waiting.ts";
import { group, many, test } from "./group.ts";

test("a worker that stops hands over what waits, and its running task may end", async () => {
  await using g = await group();
  const { broker, client, project } = g;
  const first = await g.start("w1", { worker: { shutdown_grace: 20 } });
  await g.start("w2");
  const ids = many(10);
  for (const id of ids) await client.submit(project.work(id, { seconds: 2 }));
  await client.status("t-9", ({ state }) => state === "queued");
  // A peer with a task of its own is not idle, and takes them all the same.
  await until("both to be busy", async () => {
    const workers = (await project.truth()).map(({ worker }) => worker);
    return workers.includes("w1") && workers.includes("w2");
  });
  assert.equal(await within("its end", first.stop()), 0);
  await allFinal(client, ids);
  assert.deepEqual(await keptPromises(project, client, ids), { success: 10 });
  await nothingHeld(client, broker.port, ["w2"]);
});

test("what no peer takes waits for the next start, requests in between included", async () => {
  await using g = await group();
  const { client, project } = g;
  const first = await g.start("w1", { worker: { shutdown_grace: 20 } });
  const ids = many(4);
  for (const id of ids) {
    await client.submit(project.work(id, { held: id === "t-0" }));
  }
  await project.started("t-0");
  const stopped = first.stop();
  await first.logged("stopping");
  await project.release("t-0");
  assert.equal(await stopped, 0);
  await client.submit(project.work("between"));
  assert.equal((await project.truth()).length, 2, "only the first has run");
  await g.start("w1");
  await allFinal(client, [...ids, "between"]);
  assert.deepEqual(await keptPromises(project, client, [...ids, "between"]), {
    success: 5,
  });
});

test("a second signal ends everything at once, and the end is acknowledged", async () => {
  await using g = await group();
  const { client, project } = g;
  const worker = await g.start("w1", {
    worker: { shutdown_grace: 300, kill_grace: 300 },
  });
  await client.submit(project.work("t", { seconds: 300 }));
  await project.started("t");
  worker.signal("SIGTERM");
  await worker.logged("stopping");
  worker.signal("SIGTERM");
  const { code } = await within("its end", worker.exited);
  assert.equal(code, 0);
  const final = await client.final("t");
  assert.equal(final.state, "cancelled");
  assert.match(final.error_message!, /the worker was stopped/);
  await project.quiet();
});

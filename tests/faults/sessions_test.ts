/** What a worker has accepted outlives its session, and its message. */
import assert from "node:assert/strict";
import { allFinal, keptPromises, nothingHeld } from "../harness/verdict.ts";
import { pause } from "../harness/waiting.ts";
import { group, many, test } from "./group.ts";

for (const how of ["stopped", "killed"] as const) {
  test(`a worker without a session that is ${how} has what waited when it is back`, async () => {
    await using g = await group();
    const { broker, client, project } = g;
    const options = { mqtt: { session_expiry: 0 } };
    const first = await g.start("w1", options);
    await client.submit(project.work("t-0", { seconds: 600 }));
    await project.started("t-0");
    for (const id of ["t-1", "t-2"]) await client.submit(project.work(id));
    await client.status("t-2", ({ state }) => state === "queued");
    if (how === "stopped") assert.equal(await first.stop(), 0);
    else await first.kill();
    await project.quiet();
    const second = await g.start("w1", options);
    const ids = many(3);
    await allFinal(client, ids);
    assert.deepEqual(await keptPromises(project, client, ids), {
      [how === "stopped" ? "cancelled" : "failed"]: 1,
      success: 2,
    });
    await nothingHeld(client, broker.port, ["w1"]);
    assert.equal(await second.stop(), 0);
  });
}

test("a session that has expired while its worker was dead takes no task along", async () => {
  await using g = await group();
  const { broker, client, project } = g;
  const options = { mqtt: { session_expiry: 2 } };
  const first = await g.start("w1", options);
  await client.submit(project.work("t-0", { seconds: 600 }));
  await project.started("t-0");
  await client.submit(project.work("t-1"));
  await client.status("t-1", ({ state }) => state === "queued");
  await first.kill();
  await pause(6);
  const second = await g.start("w1", options);
  const ids = many(2);
  await allFinal(client, ids);
  assert.deepEqual(await keptPromises(project, client, ids), {
    failed: 1,
    success: 1,
  });
  assert.equal((await client.final("t-0")).state, "failed");
  await nothingHeld(client, broker.port, ["w1"]);
  assert.equal(await second.stop(), 0);
});

test("a message that expires while its only worker is dead is cancelled when that is back", async () => {
  await using g = await group();
  const { broker, client, project } = g;
  const first = await g.start("w1");
  await client.submit(project.work("t-0", { seconds: 600 }));
  await project.started("t-0");
  await client.submit(project.work("t-2"), { messageExpiryInterval: 3600 });
  await client.status("t-2", ({ state }) => state === "queued");
  // Last, so that its worker is dead soon.
  await client.submit(project.work("t-1"), { messageExpiryInterval: 5 });
  await client.status("t-1", ({ state }) => state === "queued");
  await first.kill();
  const { state } = client.history("t-1").at(-1)!;
  assert.equal(state, "queued", "it has not expired before");
  await pause(6);
  const second = await g.start("w1");
  const ids = many(3);
  await allFinal(client, ids);
  assert.deepEqual(await keptPromises(project, client, ids), {
    failed: 1,
    cancelled: 1,
    success: 1,
  });
  const expired = await client.final("t-1");
  assert.equal(expired.state, "cancelled");
  assert.match(expired.error_message!, /expired before the task could start/);
  await nothingHeld(client, broker.port, ["w1"]);
  assert.equal(await second.stop(), 0);
});

import assert from "node:assert/strict";
import { group, test } from "../faults/group.ts";
import { at, run } from "../harness/client_program.ts";
import { Ticking } from "../harness/overlaps.ts";

test("tasks with one lock run one at a time, and hold up no other", async () => {
  await using g = await group();
  const { broker, client, project } = g;
  const ticking = await Ticking.in(project);
  const worker = { max_concurrent_tasks: 2 };
  const one = await g.start("w1", { worker });
  const two = await g.start("w2", { worker });
  // Until what has no lock is through.
  await client.submit(project.work("first", { held: true, lock: "web" }));
  await project.started("first");
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
  assert.deepEqual([...(await ticking.runs()).keys()], []);
  await project.release("first");
  assert.equal((await client.final("first")).state, "success");
  const finals = await Promise.all(ids.map((id) => client.final(id)));
  assert.deepEqual(
    finals.map(({ state }) => state),
    ids.map(() => "success"),
  );
  assert.deepEqual(await ticking.overlaps(() => "web"), []);
  const released = (await project.truth()).find(({ what, id }) =>
    what === "end" && id === "first"
  )!;
  for (const { from } of (await ticking.runs()).values()) {
    assert.ok(from > released.at, "none has begun before the first had ended");
  }
  assert.deepEqual(await Promise.all([one.stop(), two.stop()]), [0, 0]);
  const left = JSON.parse(
    (await client.retained(broker.port, "ansible/test/locks/web"))!,
  );
  assert.equal(left.state, "free");
  assert.equal(left.generation, 7);
});

test("what waits in one slot of one worker starts as it came", async () => {
  await using g = await group();
  const { client, project } = g;
  const worker = await g.start("w1");
  const ids = Array.from({ length: 12 }, (_, i) => `t-${i}`);
  for (const id of ids) await client.submit(project.work(id));
  await Promise.all(ids.map((id) => client.final(id)));
  const starts = (await project.truth()).filter(({ what }) => what === "start");
  assert.deepEqual(starts.map(({ id }) => id), ids);
  assert.equal(await worker.stop(), 0);
});

test("with lock_by, the inventory is the lock of what names none", async () => {
  await using g = await group();
  const { client, project } = g;
  const ticking = await Ticking.in(project);
  const worker = await g.start("w1", {
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
});

test("tasks and watch say what waits, and for which task", async () => {
  await using g = await group();
  const { broker, client, project } = g;
  const worker = await g.start("w1", {
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
});

import assert from "node:assert/strict";
import { Broker } from "../harness/broker.ts";
import { Client } from "../harness/client.ts";
import { Project } from "../harness/project.ts";
import { Proxy } from "../harness/proxy.ts";
import { allFinal, keptPromises, nothingHeld } from "../harness/verdict.ts";
import { pause, until, within } from "../harness/waiting.ts";
import { Worker } from "../harness/worker.ts";

/** A group with its broker. */
async function group() {
  const stack = new AsyncDisposableStack();
  const broker = stack.use(
    await Broker.start({ persistence: true, extra: ["max_queued_messages 0"] }),
  );
  const project = stack.use(await Project.create());
  const client = stack.use(await Client.connect(broker.port));
  const start = async (id: string, options: object = {}) =>
    stack.use(
      await Worker.start({ project, port: broker.port, id, ...options }),
    );
  return {
    broker,
    project,
    client,
    start,
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

function test(name: string, fn: () => Promise<void>): void {
  Deno.test({ name, sanitizeOps: true, sanitizeResources: true, fn });
}

const many = (n: number) => Array.from({ length: n }, (_, i) => `t-${i}`);

test("a worker that is killed and comes back loses nothing and repeats nothing", async () => {
  await using g = await group();
  const { client, project } = g;
  const ids = many(6);
  const first = await g.start("w1");
  for (const id of ids) await client.submit(project.work(id, { seconds: 2 }));
  await project.started("t-0");
  await client.status("t-0", ({ tasks_total }) => tasks_total === 1);
  await first.kill();
  await project.quiet(3);
  const second = await g.start("w1");
  await allFinal(client, ids, 40);
  const count = await keptPromises(project, client, ids);
  assert.deepEqual(count, { failed: 1, success: 5 });
  const [failed] = client.history("t-0").filter(({ state }) =>
    state === "failed"
  );
  assert.equal(
    failed!.error_message,
    "the worker stopped while this task was running",
  );
  assert.equal(failed!.tasks_total, 1, "with its last counters");
  await nothingHeld(client, g.broker.port, ["w1"]);
  assert.equal(await second.stop(), 0);
});

test("a worker that is gone for good is adopted, by one, and its return is in order", async () => {
  await using g = await group();
  const { broker, client, project } = g;
  await using proxy = Proxy.to(broker.port);
  // A short keepalive, so that the broker finds the cut soon.
  const lost = await g.start("w2", {
    port: proxy.port,
    mqtt: { keepalive: 5 },
    worker: { max_concurrent_tasks: 1 },
  });
  const ids = many(5);
  for (const id of ids) {
    await client.submit(project.work(id, { seconds: id === "t-0" ? 90 : 0.2 }));
  }
  await client.status("t-4", ({ state }) => state === "queued");
  await project.started("t-0");
  const others = await Promise.all([g.start("w1"), g.start("w3")]);
  proxy.cut();
  const since = performance.now();
  await allFinal(client, ids, 80);
  console.log(
    `all adopted and ended ${
      ((performance.now() - since) / 1000).toFixed(0)
    } s after the cut`,
  );
  const tombstone = JSON.parse(
    (await client.message(
      "the tombstone",
      ({ topic, text }) =>
        topic.endsWith("/w2/status") && text.includes('"adopted"'),
    )).text,
  );
  assert.equal(tombstone.adopted_by, "w3", "the next one in the ring");
  assert.ok(
    others.every(({ log, id }) =>
      log.includes("taking over its tasks") === (id === "w3")
    ),
  );
  proxy.heal();
  await lost.logged("the group has taken over this worker's tasks meanwhile");
  await lost.logged("its run is ended");
  await project.quiet(5).catch(() => {});
  assert.deepEqual(await keptPromises(project, client, ids), {
    failed: 1,
    success: 4,
  });
  await until(10, "its presence", async () =>
    JSON.parse(
      (await client.retained(broker.port, "ansible/test/workers/w2/status"))!,
    ).state === "online");
  // It works as before.
  await Promise.all(many(9).map((id) => client.submit(project.work(`n${id}`))));
  await allFinal(client, many(9).map((id) => `n${id}`), 30);
  await nothingHeld(client, broker.port, ["w1", "w2", "w3"]);
});

test("where the access rules forbid an adoption, the survivor says so once and works on", async () => {
  await using project = await Project.create();
  const passwords = project.path("passwords");
  const rules = project.path("rules");
  const users = ["admin", "w1", "w2"];
  await Deno.writeTextFile(
    passwords,
    users.map((user) => `${user}:secret\n`).join(""),
  );
  await new Deno.Command("mosquitto_passwd", { args: ["-U", passwords] })
    .output();
  await Deno.writeTextFile(
    rules,
    [
      "user admin",
      "topic readwrite #",
      ...["w1", "w2"].flatMap((user) => [
        `user ${user}`,
        "topic read ansible/test/#",
        "topic write ansible/test/tasks/#",
        "topic write ansible/test/rejected",
        `topic write ansible/test/workers/${user}/#`,
        "topic write ansible/test/workers/+/tasks",
      ]),
    ].join("\n") + "\n",
  );
  await using broker = await Broker.start({
    extra: [
      "allow_anonymous false",
      `password_file ${passwords}`,
      `acl_file ${rules}`,
    ],
  });
  const login = (username: string) => ({ username, password: "secret" });
  await using client = await Client.connect(broker.port, {
    mqtt: login("admin"),
  });
  const start = (id: string) =>
    Worker.start({ project, port: broker.port, id, mqtt: login(id) });
  await using dead = await start("w1");
  await using survivor = await start("w2");
  await dead.kill();
  // What the broker says of it 30 s later.
  const topic = "ansible/test/workers/w1/status";
  const online = await client.message(
    "its presence",
    (message) => message.topic === topic,
  );
  await client.publish(
    topic,
    JSON.stringify({ ...JSON.parse(online.text), state: "offline" }),
    { retain: true },
  );
  await survivor.logged("cannot adopt worker w1", 1, 20);
  // It tries again, in case the rules have changed, and says nothing more.
  await survivor.logged("worker w1 is gone; taking over its tasks", 2, 30);
  await pause(1);
  assert.equal(survivor.log.split("cannot adopt worker").length, 2);
  await client.submit(project.work("t-0"));
  await client.submit(project.work("t-1"));
  // The broker gives one of them to the dead worker's session, where it waits.
  await client.message(
    "a success",
    ({ text }) => text.includes('"state":"success"'),
  );
});

test("a broker that restarts with its sessions delivers again, and nothing is lost", async () => {
  await using g = await group();
  const { broker, client, project } = g;
  const workers = [await g.start("w1"), await g.start("w2")];
  const ids = many(12);
  for (const id of ids) await client.submit(project.work(id, { seconds: 0.5 }));
  await project.started("t-0");
  await broker.stop();
  await pause(1.5);
  await broker.start();
  // Until a worker subscribes again, a message reaches nobody: see docs/operations.md.
  await Promise.all(
    workers.map((worker) => worker.logged("connected to the broker", 4)),
  );
  await client.submit(project.work("after"));
  await allFinal(client, [...ids, "after"], 40);
  assert.deepEqual(await keptPromises(project, client, [...ids, "after"]), {
    success: 13,
  });
  await nothingHeld(client, broker.port, ["w1", "w2"]);
});

test("a broker that loses its sessions: the workers run what they hold", async () => {
  await using broker = await Broker.start();
  await using project = await Project.create();
  await using client = await Client.connect(broker.port);
  await using worker = await Worker.start({ project, port: broker.port });
  const ids = many(6);
  for (const id of ids) await client.submit(project.work(id, { seconds: 0.5 }));
  await client.status("t-5", ({ state }) => state === "queued");
  await broker.kill();
  await pause(1);
  await broker.start();
  await allFinal(client, ids, 40);
  assert.deepEqual(await keptPromises(project, client, ids), { success: 6 });
  await nothingHeld(client, broker.port, ["w1"]);
  assert.equal(await worker.stop(), 0);
});

for (const how of ["cut", "stall", "halfClose", "delay"] as const) {
  test(`a network that does this for a while: ${how}; runs go on, nothing is lost`, async () => {
    await using g = await group();
    const { broker, client, project } = g;
    await using proxy = Proxy.to(broker.port);
    await g.start("w1", { port: proxy.port, mqtt: { keepalive: 5 } });
    await g.start("w2");
    const ids = many(10);
    for (const id of ids) {
      await client.submit(project.work(id, { seconds: 0.7 }));
    }
    await project.started("t-0");
    await (how === "delay" ? proxy.delay(300) : proxy[how]());
    await pause(4);
    proxy.heal();
    await allFinal(client, ids, 60);
    assert.deepEqual(await keptPromises(project, client, ids), { success: 10 });
    await nothingHeld(client, broker.port, ["w1", "w2"]);
  });
}

test("a second worker with an id that is in use says so and exits with 1", async () => {
  await using g = await group();
  const { broker, client, project } = g;
  const first = await g.start("w1");
  await using second = await Worker.spawn({ project, port: broker.port });
  const { code } = await within(20, "its end", second.exited);
  assert.equal(code, 1);
  await second.logged('the worker id "w1" is in use');
  assert.equal((await client.run(project.work("t"))).state, "success");
  assert.ok(!first.log.includes("no connection"), "the first was left alone");
});

test("two workers that start at once with one id do not fight: one stays", async () => {
  await using g = await group();
  const { broker, client, project } = g;
  const both = await Promise.all(
    [1, 2].map(() => Worker.spawn({ project, port: broker.port })),
  );
  try {
    await within(
      30,
      "the end of one",
      Promise.race(both.map(({ exited }) => exited)),
    );
    await until(
      20,
      "the other one",
      () => both.some(({ log }) => log.includes("ready for tasks")),
    );
    assert.equal((await client.run(project.work("t"))).state, "success");
  } finally {
    for (const one of both) await one[Symbol.asyncDispose]();
  }
});

test("a full queue hands over to a peer with room before it refuses", async () => {
  await using g = await group();
  const { client, project } = g;
  const options = { worker: { max_queue_size: 3 } };
  await g.start("w1", options);
  await g.start("w2", options);
  // All to one of the two: its inbox takes them as from a peer.
  const ids = many(8);
  for (const id of ids) {
    await client.publish(
      "ansible/test/workers/w1/tasks",
      JSON.stringify(project.work(id, { seconds: 1 })),
      { qos: 2 },
    );
  }
  await allFinal(client, ids, 30);
  assert.deepEqual(await keptPromises(project, client, ids), { success: 8 });
  const by = new Set((await project.truth()).map(({ worker }) => worker));
  assert.equal(by.size, 2);
});

test("an id is run once in the group, whoever sends it again, and it is said", async () => {
  await using g = await group();
  const { client, project } = g;
  await g.start("w1");
  await g.start("w2");
  const ids = many(10);
  for (const id of ids) {
    // Three at once, which the broker gives to different workers.
    await Promise.all(
      [1, 2, 3].map(() => client.submit(project.work(id, { seconds: 0.2 }))),
    );
  }
  await allFinal(client, ids, 30);
  // And again, now that they have ended.
  for (const id of ids) await client.submit(project.work(id));
  await until(10, "the reports", () => client.rejected().length === 30);
  assert.deepEqual(await keptPromises(project, client, ids), { success: 10 });
  for (const { reason, errors } of client.rejected()) {
    assert.equal(reason, "duplicate");
    const [{ message }] = errors as [{ message: string }];
    assert.match(
      message,
      /already (queued|running|success)|at the same moment/,
    );
  }
});

test("with duplicate_window: 0 an id may be used again after its end", async () => {
  await using g = await group();
  const { client, project } = g;
  await g.start("w1", { worker: { duplicate_window: 0 } });
  await client.run(project.work("t"));
  const ends = () =>
    client.history("t").filter(({ completed_at }) => completed_at).length;
  await client.submit(project.work("t"));
  await until(10, "the second end", () => ends() === 2);
});

test("a cancel ends what waits and what runs, wherever it is, and nothing else", async () => {
  await using g = await group();
  const { client, project } = g;
  await g.start("w1");
  await g.start("w2");
  const ids = many(8);
  for (const id of ids) await client.submit(project.work(id, { seconds: 3 }));
  await project.started("t-0");
  await client.status("t-7", ({ state }) => state === "queued");
  await client.cancel("t-0", "stop it");
  await client.cancel("t-7");
  await client.cancel("t-6", "no need");
  for (const id of ["t-0", "t-6", "t-7"]) {
    const final = await within(3, `the end of ${id}`, client.final(id));
    assert.equal(final.state, "cancelled");
  }
  const [queued] = client.history("t-6").filter(({ state }) =>
    state === "cancelled"
  );
  assert.equal(queued!.error_message, "cancelled: no need");
  assert.equal(queued!.started_at, null);
  // Of one that comes later, and of one that has ended.
  await client.cancel("later", "changed my mind");
  await client.submit(project.work("later"));
  assert.equal((await client.final("later")).state, "cancelled");
  await allFinal(client, ids, 30);
  await client.cancel("t-1");
  // A retained one is ignored.
  await client.publish("ansible/test/tasks/kept/cancel", "", {});
  await client.publish("ansible/test/tasks/kept/cancel", "{}", {
    retain: true,
  });
  await client.run(project.work("last"));
  assert.deepEqual(await keptPromises(project, client, [...ids, "later"]), {
    success: 5,
    cancelled: 4,
  });
});

test("a message that expires before its task starts is cancelled, and says so", async () => {
  await using g = await group();
  const { client, project } = g;
  await g.start("w1");
  await client.submit(project.work("long", { seconds: 4 }));
  await client.submit(project.work("short"), { messageExpiryInterval: 2 });
  const final = await within(4, "its end", client.final("short"));
  assert.equal(final.state, "cancelled");
  assert.match(final.error_message!, /expired before the task could start/);
  await client.final("long");
  assert.deepEqual(await keptPromises(project, client, ["long", "short"]), {
    success: 1,
    cancelled: 1,
  });
});

test("a worker that stops hands over what waits, and its running task may end", async () => {
  await using g = await group();
  const { broker, client, project } = g;
  const first = await g.start("w1", { worker: { shutdown_grace: 20 } });
  const ids = many(6);
  for (const id of ids) await client.submit(project.work(id, { seconds: 2 }));
  await project.started("t-0");
  await client.status("t-5", ({ state }) => state === "queued");
  // A peer with a task of its own is not idle, and takes them all the same.
  await g.start("w2");
  await until(
    10,
    "the peer to be busy",
    async () => (await project.truth()).some(({ worker }) => worker === "w2"),
  );
  assert.equal(await within(15, "its end", first.stop()), 0);
  await allFinal(client, ids, 40);
  assert.deepEqual(await keptPromises(project, client, ids), { success: 6 });
  await nothingHeld(client, broker.port, ["w2"]);
});

test("what no peer takes waits for the next start, requests in between included", async () => {
  await using g = await group();
  const { client, project } = g;
  const first = await g.start("w1", { worker: { shutdown_grace: 20 } });
  const ids = many(4);
  for (const id of ids) await client.submit(project.work(id, { seconds: 1 }));
  await project.started("t-0");
  assert.equal(await first.stop(), 0);
  await client.submit(project.work("between"));
  assert.equal((await project.truth()).length, 2, "only the first has run");
  await g.start("w1");
  await allFinal(client, [...ids, "between"], 30);
  assert.deepEqual(await keptPromises(project, client, [...ids, "between"]), {
    success: 5,
  });
});

test("a second signal ends everything at once, and the end is acknowledged", async () => {
  await using g = await group();
  const { client, project } = g;
  const worker = await g.start("w1", {
    worker: { shutdown_grace: 60, kill_grace: 30 },
  });
  await client.submit(project.work("t", { seconds: 60 }));
  await project.started("t");
  worker.signal("SIGTERM");
  await worker.logged("stopping");
  worker.signal("SIGTERM");
  const { code } = await within(5, "its end", worker.exited);
  assert.equal(code, 0);
  const final = await client.final("t");
  assert.equal(final.state, "cancelled");
  assert.match(final.error_message!, /the worker was stopped/);
  await project.quiet(3);
});

for (const how of ["stopped", "killed"] as const) {
  test(`a worker without a session that is ${how} has what waited when it is back`, async () => {
    await using g = await group();
    const { broker, client, project } = g;
    const options = { mqtt: { session_expiry: 0 } };
    const first = await g.start("w1", options);
    await client.submit(project.work("t-0", { seconds: 30 }));
    await project.started("t-0");
    for (const id of ["t-1", "t-2"]) await client.submit(project.work(id));
    await client.status("t-2", ({ state }) => state === "queued");
    if (how === "stopped") assert.equal(await first.stop(), 0);
    else await first.kill();
    await project.quiet(5);
    const second = await g.start("w1", options);
    const ids = many(3);
    await allFinal(client, ids, 20);
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
  await client.submit(project.work("t-0", { seconds: 30 }));
  await project.started("t-0");
  await client.submit(project.work("t-1"));
  await client.status("t-1", ({ state }) => state === "queued");
  await first.kill();
  await pause(6);
  const second = await g.start("w1", options);
  const ids = many(2);
  await allFinal(client, ids, 20);
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
  await client.submit(project.work("t-0", { seconds: 30 }));
  await project.started("t-0");
  await client.submit(project.work("t-1"), { messageExpiryInterval: 3 });
  await client.submit(project.work("t-2"), { messageExpiryInterval: 300 });
  await client.status("t-2", ({ state }) => state === "queued");
  await first.kill();
  await pause(4);
  const second = await g.start("w1");
  const ids = many(3);
  await allFinal(client, ids, 20);
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

test("a broker that crashes again and again, and forgets its latest minutes, is put right", async () => {
  await using g = await group();
  const { broker, client, project } = g;
  const workers = [
    await g.start("w1", { worker: { max_concurrent_tasks: 2 } }),
    await g.start("w2", { worker: { max_concurrent_tasks: 2 } }),
  ];
  const ids: string[] = [];
  const crashes = 4;
  for (let crash = 1; crash <= crashes; crash++) {
    const batch = many(10).map((id) => `${id}-${crash}`);
    ids.push(...batch);
    for (const id of batch) {
      await client.submit(project.work(id, { seconds: 0.2 }));
    }
    // At another moment of their runs each time.
    await project.started(batch[crash]!);
    await pause(0.3 * (crash - 1));
    await broker.kill();
    await pause(0.5);
    await broker.start();
    await Promise.all(
      workers.map((worker) =>
        worker.logged("connected to the broker", 2 + 2 * crash)
      ),
    );
  }
  let late: string[] = [];
  await until(10, () => `final statuses of ${late}`, async () => {
    const statuses = await client.allRetained(
      broker.port,
      "ansible/test/tasks/+/status",
    );
    late = ids.filter((id) =>
      !statuses.get(`ansible/test/tasks/${id}/status`)?.includes(
        '"state":"success"',
      )
    );
    return late.length === 0;
  });
  const starts = (await project.truth()).filter(({ what }) => what === "start")
    .map(({ id }) => id);
  assert.deepEqual(starts.toSorted(), ids.toSorted(), "each has run once");
  await nothingHeld(client, broker.port, ["w1", "w2"]);
});

test("SIGHUP reads the configuration again, and says what needs a restart", async () => {
  await using g = await group();
  const { client, project } = g;
  const worker = await g.start("w1");
  const file = project.path("w1.yaml");
  const config = JSON.parse(await Deno.readTextFile(file));
  config.worker.task_timeout = 1;
  config.worker.max_queue_size = 7;
  await Deno.writeTextFile(file, JSON.stringify(config));
  worker.signal("SIGHUP");
  await worker.logged("the configuration was read again");
  await worker.logged("needs_restart=worker.max_queue_size");
  const final = await client.run(project.work("t", { seconds: 20 }));
  assert.equal(final.state, "timeout");
  await Deno.writeTextFile(file, "mqtt: {}\n");
  worker.signal("SIGHUP");
  await worker.logged("the configuration is not valid; nothing is changed");
  assert.equal((await client.run(project.work("u"))).state, "success");
});

import assert from "node:assert/strict";
import { Broker } from "../harness/broker.ts";
import { Client } from "../harness/client.ts";
import { Project } from "../harness/project.ts";
import { Proxy } from "../harness/proxy.ts";
import { allFinal, keptPromises, nothingHeld } from "../harness/verdict.ts";
import { until } from "../harness/waiting.ts";
import { IMPATIENT, Worker } from "../harness/worker.ts";
import { group, many, test } from "./group.ts";

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
    await client.submit(
      project.work(id, { seconds: id === "t-0" ? 120 : 0.2 }),
    );
  }
  await client.status("t-4", ({ state }) => state === "queued");
  await project.started("t-0");
  const [one, three] = await Promise.all([g.start("w1"), g.start("w3")]);
  proxy.cut();
  const since = performance.now();
  await allFinal(client, ids);
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
  await three.logged("taking over its tasks");
  assert.ok(!one.log.includes("taking over its tasks"));
  proxy.heal();
  await lost.logged("the group has taken over this worker's tasks meanwhile");
  await lost.logged("its run is ended");
  await project.quiet();
  assert.deepEqual(await keptPromises(project, client, ids), {
    failed: 1,
    success: 4,
  });
  await until("its presence", async () =>
    JSON.parse(
      (await client.retained(broker.port, "ansible/test/workers/w2/status"))!,
    ).state === "online");
  // It works as before.
  await Promise.all(many(9).map((id) => client.submit(project.work(`n${id}`))));
  await allFinal(client, many(9).map((id) => `n${id}`));
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
    Worker.start({
      project,
      port: broker.port,
      id,
      mqtt: login(id),
      inner: IMPATIENT,
    });
  await using dead = await start("w1");
  await using survivor = await start("w2");
  await dead.kill();
  await survivor.logged("cannot adopt worker w1");
  // It tries again, in case the rules have changed, and says nothing more.
  // The third time begins when the second one has failed.
  await survivor.logged("worker w1 is gone; taking over its tasks", 3);
  assert.equal(survivor.log.split("cannot adopt worker").length, 2);
  await client.submit(project.work("t-0"));
  await client.submit(project.work("t-1"));
  // The broker gives one of them to the dead worker's session, where it waits.
  await client.message(
    "a success",
    ({ text }) => text.includes('"state":"success"'),
  );
});

test("a message that was given to the group from a dead worker's session outlives the next one that dies", async () => {
  await using g = await group();
  const { client, project } = g;
  const lost = await g.start("w2", { inner: IMPATIENT });
  // It is sent the message, and does not come to look at it.
  lost.signal("SIGSTOP");
  await client.submit(project.work("moves"), {
    // As whoever has adopted the one before it gives what may be a copy.
    userProperties: { "ansible-worker-from": "", "ansible-worker-hops": "0" },
  });
  await lost.kill();
  await g.start("w3", { inner: IMPATIENT });
  const final = await client.final("moves");
  assert.equal(final.state, "success");
  assert.equal(final.worker_id, "w3");
});

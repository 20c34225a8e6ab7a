import assert from "node:assert/strict";
import { freePort } from "../../dev/programs.ts";
import { Broker } from "../harness/broker.ts";
import { Client } from "../harness/client.ts";
import { examine } from "../harness/doctor.ts";
import { Project } from "../harness/project.ts";
import { allFinal, keptPromises, nothingHeld } from "../harness/verdict.ts";
import { pause, until, within } from "../harness/waiting.ts";
import { IMPATIENT, Worker } from "../harness/worker.ts";

/** How many lines a run of it writes. */
const LINES = 40;

/** A run that shows how far it has come. */
const STEPS = `
- hosts: all
  gather_facts: false
  tasks:
    - debug:
        msg: "{{ lookup('pipe', 'sleep 0.1; echo ' ~ item ~ ' >> ' ~ truth) }}"
      loop: "{{ range(0, ${LINES}) | list }}"
`;

/** Settles when such a run has written all, the broker being away. */
function written(file: string): Promise<void> {
  return until(
    "the end of the run",
    async () =>
      (await Deno.readTextFile(file).catch(() => "")).split("\n").length ===
        LINES + 1,
  );
}

Deno.test({
  name: "a broker that is away does not hold up a run, and learns its end",
  sanitizeOps: true,
  sanitizeResources: true,
  async fn() {
    await using broker = await Broker.start({ persistence: true });
    await using project = await Project.create({ "steps.yml": STEPS });
    await using client = await Client.connect(broker.port);
    await using worker = await Worker.start({ project, port: broker.port });
    await client.submit({
      task_id: "away",
      playbook: "steps.yml",
      inventory: "hosts",
      extra_vars: { truth: project.truthFile },
    });
    await client.status("away", ({ state }) => state === "running");
    await broker.stop();
    await written(project.truthFile);
    const [back, backAt] = [performance.now(), new Date()];
    await broker.start();
    const final = await client.final("away");
    assert.equal(final.state, "success");
    console.log(`the run took ${final.duration_seconds} s`);
    // Until then mosquitto has nobody to give a request to.
    await client.message(
      "the worker online again",
      ({ topic, text, at }) =>
        topic === "ansible/test/workers/w1/status" && at > back &&
        JSON.parse(text).state === "online" &&
        new Date(JSON.parse(text).updated_at) >= backAt,
    );
    assert.equal((await client.run(project.work("next"))).state, "success");
    assert.equal(await worker.stop(), 0);
  },
});

Deno.test({
  name: "a broker that accepts and does not read does not hold up a run",
  sanitizeOps: true,
  sanitizeResources: true,
  async fn() {
    await using broker = await Broker.start();
    await using project = await Project.create({ "steps.yml": STEPS });
    await using client = await Client.connect(broker.port);
    await using worker = await Worker.start({
      project,
      port: broker.port,
      worker: { status_interval: 0.05 },
    });
    await client.submit({
      task_id: "deaf",
      playbook: "steps.yml",
      inventory: "hosts",
      extra_vars: { truth: project.truthFile },
    });
    await client.status("deaf", ({ state }) => state === "running");
    broker.pause();
    await written(project.truthFile);
    broker.resume();
    const final = await client.final("deaf");
    assert.equal(final.state, "success");
    console.log(`the run took ${final.duration_seconds} s`);
    assert.equal(await worker.stop(), 0);
  },
});

Deno.test({
  name:
    "a broker that is deaf for longer than keepalive costs nothing but time",
  sanitizeOps: true,
  sanitizeResources: true,
  async fn() {
    await using broker = await Broker.start();
    await using project = await Project.create({ "steps.yml": STEPS });
    await using client = await Client.connect(broker.port);
    await using worker = await Worker.start({
      project,
      port: broker.port,
      mqtt: { keepalive: 5 },
      worker: { max_concurrent_tasks: 2 },
    });
    const before = await worker.memory();
    for (const id of ["short", "long"]) {
      await client.submit(
        id === "short" ? project.work(id, { seconds: 2 }) : {
          task_id: id,
          playbook: "steps.yml",
          inventory: "hosts",
          extra_vars: { truth: project.path("steps") },
        },
      );
      await client.status(id, ({ state }) => state === "running");
    }
    broker.pause();
    await written(project.path("steps"));
    await pause(6);
    const after = await worker.memory();
    broker.resume();
    const finals = await Promise.all(
      ["short", "long"].map((id) => client.final(id)),
    );
    assert.deepEqual(finals.map(({ state }) => state), ["success", "success"]);
    for (const id of ["short", "long"]) {
      const ends = new Set(
        client.history(id).filter(({ completed_at }) => completed_at !== null)
          .map(({ completed_at }) => completed_at),
      );
      assert.equal(ends.size, 1, "one end, however often it was sent");
    }
    console.log(
      `the run took ${finals[1]!.duration_seconds} s; worker ${
        before.toFixed(0)
      } MB before, ${after.toFixed(0)} MB after`,
    );
    assert.equal((await client.run(project.work("next"))).state, "success");
    assert.equal(await worker.stop(), 0);
  },
});

Deno.test({
  name: "a worker that finds no broker tries again until there is one",
  sanitizeOps: true,
  sanitizeResources: true,
  async fn() {
    await using broker = await Broker.start();
    await using project = await Project.create();
    await broker.stop();
    await using worker = await Worker.spawn({ project, port: broker.port });
    await worker.logged("cannot connect to the broker", 2);
    await broker.start();
    await worker.logged("ready for tasks");
    await using client = await Client.connect(broker.port);
    assert.equal((await client.run(project.work("t"))).state, "success");
    assert.equal(await worker.stop(), 0);
  },
});

Deno.test({
  name: "a worker that waits for its broker can be stopped",
  sanitizeOps: true,
  sanitizeResources: true,
  async fn() {
    await using broker = await Broker.start();
    await using project = await Project.create();
    await broker.stop();
    await using worker = await Worker.spawn({ project, port: broker.port });
    await worker.logged("cannot connect to the broker");
    assert.equal(await within("its end", worker.stop()), 0);
  },
});

Deno.test({
  name: "presence says online, and offline after a stop and after a crash",
  sanitizeOps: true,
  sanitizeResources: true,
  async fn() {
    await using broker = await Broker.start();
    await using project = await Project.create();
    await using client = await Client.connect(broker.port);
    const topic = "ansible/test/workers/w1/status";
    const presence = async () =>
      JSON.parse((await client.retained(broker.port, topic))!);
    await using first = await Worker.start({ project, port: broker.port });
    const online = await presence();
    assert.deepEqual(Object.keys(online), [
      "worker_id",
      "instance",
      "state",
      "slots",
      "version",
      "ansible_version",
      "host",
      "started_at",
      "updated_at",
    ]);
    assert.equal(online.state, "online");
    assert.equal(await first.stop(), 0);
    assert.equal((await presence()).state, "offline");

    await using second = await Worker.start({
      project,
      port: broker.port,
      inner: IMPATIENT,
    });
    const again = await presence();
    assert.equal(again.state, "online");
    assert.notEqual(again.instance, online.instance);
    await second.kill();
    await client.message(
      "the will",
      (message) =>
        message.topic === topic && !message.retained &&
        JSON.parse(message.text).instance === again.instance &&
        JSON.parse(message.text).state === "offline",
    );
  },
});

Deno.test({
  name: "with a broker that has no QoS 2 all is done at QoS 1",
  sanitizeOps: true,
  sanitizeResources: true,
  async fn() {
    const port = freePort();
    await using _broker = await Broker.start({
      extra: [`listener ${port} 127.0.0.1`, "max_qos 1"],
    });
    await using project = await Project.create();
    await using client = await Client.connect(port);
    await using first = await Worker.start({ project, port });
    const publish = (request: object) =>
      client.publish("ansible/test/tasks", JSON.stringify(request), { qos: 1 });
    await publish(project.work("long", { held: true }));
    await project.started("long");
    await publish(project.work("moves"));
    await client.status("moves", ({ state }) => state === "queued");
    await using second = await Worker.start({ project, port, id: "w2" });
    assert.equal((await client.final("moves")).worker_id, "w2");
    await project.release("long");
    const ids = ["long", "moves"];
    await allFinal(client, ids);
    assert.deepEqual(await keptPromises(project, client, ids), { success: 2 });
    await nothingHeld(client, port, ["w1", "w2"]);
    for (const { log } of [first, second]) {
      assert.doesNotMatch(log, /no connection|ERROR/);
    }
    const report = await examine({ project, port });
    assert.equal(report.code, 0, report.text);
    assert.deepEqual(await Promise.all([first.stop(), second.stop()]), [0, 0]);
  },
});

Deno.test({
  name:
    "where the access rules forbid its records a worker does not start, and says so",
  sanitizeOps: true,
  sanitizeResources: true,
  async fn() {
    await using project = await Project.create();
    await Deno.writeTextFile(
      project.path("acl"),
      "topic readwrite #\ntopic deny ansible/test/workers/+/queue/+\n",
    );
    await using broker = await Broker.start({
      extra: [`acl_file ${project.path("acl")}`],
    });
    await using worker = await Worker.spawn({ project, port: broker.port });
    const { code } = await within("its end", worker.exited);
    assert.equal(code, 1);
    await worker.ended();
    assert.match(
      worker.log,
      /ERROR Cannot publish on "ansible\/test\/workers\/w1\/queue\/!sentinel": not authorized/,
    );
    assert.doesNotMatch(worker.log, /internal error/);
  },
});

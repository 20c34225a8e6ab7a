/** A trace of each task, exported by Deno's own OpenTelemetry. */
import assert from "node:assert/strict";
import { ROOT } from "../../dev/programs.ts";
import type { TaskStatus } from "../../src/messages/task_status.ts";
import { Broker } from "../harness/broker.ts";
import { Client } from "../harness/client.ts";
import { Collector, type Span } from "../harness/collector.ts";
import { Project } from "../harness/project.ts";
import { Worker } from "../harness/worker.ts";

const options = { sanitizeOps: true, sanitizeResources: true };

const TRACE = "5b8efff798038103d269b633813fc60c";
const PUBLISHER = "eee19b7ec3c1b174";
const TRACEPARENT = `00-${TRACE}-${PUBLISHER}-01`;

const CONSUMER = 5;
const INTERNAL = 1;
const ERROR = 2;

/** The times of a span are those of the status, to the millisecond. */
function sameTimes(span: Span, from: string | null, to: string | null): void {
  const near = (found: number, time: string | null) =>
    assert.ok(Math.abs(found - Date.parse(time!)) < 1, `${found} ${time}`);
  near(span.start, from);
  near(span.end, to);
}

function checkTimes(
  { task, parts }: { task: Span; parts: Map<string, Span> },
  status: TaskStatus,
): void {
  sameTimes(task, status.created_at, status.completed_at);
  sameTimes(
    parts.get("queue")!,
    status.created_at,
    status.started_at ?? status.completed_at,
  );
  if (status.started_at !== null) {
    sameTimes(parts.get("run")!, status.started_at, status.completed_at);
  }
  assert.equal(parts.has("run"), status.started_at !== null);
}

for (const narrow of [false, true]) {
  Deno.test({
    ...options,
    name: `a task is a span in its publisher's trace, under the ${
      narrow ? "narrowest permissions" : "flags of the start task"
    }`,
    async fn() {
      await using broker = await Broker.start();
      await using project = await Project.create();
      await using collector = new Collector();
      await using client = await Client.connect(broker.port);
      await using worker = await Worker.start({
        project,
        port: broker.port,
        narrow,
        env: collector.environment,
      });
      await client.submit(project.work("t", { seconds: 0.2 }), {
        userProperties: { traceparent: TRACEPARENT, tracestate: "acme=1" },
      });
      const final = await client.final("t");
      assert.equal(final.state, "success");
      const found = await collector.task("t");
      const { task, parts } = found;
      assert.equal(task.traceId, TRACE);
      assert.equal(task.parentSpanId, PUBLISHER);
      assert.equal(task.kind, CONSUMER);
      assert.notEqual(task.status, ERROR);
      assert.equal(task.service, "ansible-worker");
      assert.deepEqual(task.attributes, {
        "ansible_worker.task_id": "t",
        "ansible_worker.playbook": "work.yml",
        "ansible_worker.state": "success",
        "ansible_worker.worker_id": "w1",
        "ansible_worker.group": "test",
        "ansible_worker.tracestate": "acme=1",
      });
      assert.deepEqual([...parts.keys()].sort(), ["queue", "run"]);
      for (const part of parts.values()) {
        assert.equal(part.traceId, TRACE);
        assert.equal(part.kind, INTERNAL);
      }
      checkTimes(found, final);
      assert.ok(worker.log.includes("tasks are traced with OpenTelemetry"));
      assert.equal(await worker.stop(), 0);
      await worker.ended();
      for (const line of worker.log.trimEnd().split("\n")) {
        assert.match(line, /^2\d{3}-\S+Z +[A-Z]+ /, "only our own lines");
      }
    },
  });
}

Deno.test({
  ...options,
  name: "a task without a trace that can be joined begins its own",
  async fn() {
    await using broker = await Broker.start();
    await using project = await Project.create({
      "broken.yml": "- hosts: all\n  gather_facts: false\n  tasks: [fail: ]\n",
    });
    await using collector = new Collector();
    await using client = await Client.connect(broker.port);
    await using worker = await Worker.start({
      project,
      port: broker.port,
      env: collector.environment,
    });
    const run = async (id: string, more = {}, properties = {}) => {
      await client.submit(project.work(id, more), properties);
      const final = await client.final(id);
      const found = await collector.task(id);
      checkTimes(found, final);
      return found;
    };
    const alone = await run("alone");
    const wrong = await run("wrong", {}, {
      userProperties: { traceparent: `00-${TRACE}-${PUBLISHER}` },
    });
    for (const { task, parts } of [alone, wrong]) {
      assert.equal(task.parentSpanId, "");
      assert.match(task.traceId, /^[0-9a-f]{32}$/);
      assert.notEqual(task.traceId, TRACE);
      assert.ok(
        parts.values().every(({ traceId }) => traceId === task.traceId),
      );
    }
    assert.notEqual(alone.task.traceId, wrong.task.traceId);

    const failed = await run("failed", { playbook: "broken.yml" });
    assert.equal(failed.task.status, ERROR);
    assert.equal(failed.task.attributes["ansible_worker.state"], "failed");
    const refused = await run("refused", { playbook: "nowhere.yml" });
    assert.deepEqual([...refused.parts.keys()], ["queue"]);

    await client.submit(project.work("long", { seconds: 600 }));
    await project.started("long");
    await client.submit(project.work("waits"));
    await client.status("waits", ({ state }) => state === "queued");
    await client.cancel("waits");
    const waited = await collector.task("waits");
    checkTimes(waited, await client.final("waits"));
    assert.equal(waited.task.attributes["ansible_worker.state"], "cancelled");
    assert.notEqual(waited.task.status, ERROR);
    await client.cancel("long");
    checkTimes(await collector.task("long"), await client.final("long"));
    assert.equal(await worker.stop(), 0);
    assert.equal(
      collector.spans.filter(({ name }) => name === "task").length,
      6,
      "one for each task",
    );
  },
});

Deno.test({
  ...options,
  name: "a task keeps its trace when another worker takes it",
  async fn() {
    await using broker = await Broker.start();
    await using project = await Project.create();
    await using collector = new Collector();
    await using client = await Client.connect(broker.port);
    const start = (id: string) =>
      Worker.start({
        project,
        port: broker.port,
        id,
        env: collector.environment,
      });
    await using one = await start("w1");
    await client.submit(project.work("long", { seconds: 600 }));
    await project.started("long");
    await client.submit(project.work("moves"), {
      userProperties: { traceparent: TRACEPARENT },
    });
    await client.status("moves", ({ state }) => state === "queued");
    await using two = await start("w2");
    const final = await client.final("moves");
    assert.equal(final.worker_id, "w2");
    const moved = await collector.task("moves");
    assert.equal(moved.task.traceId, TRACE);
    assert.equal(moved.task.parentSpanId, PUBLISHER);
    assert.equal(moved.task.attributes["ansible_worker.worker_id"], "w2");
    checkTimes(moved, final);
    await client.cancel("long");
    await client.final("long");
    assert.deepEqual(await Promise.all([one.stop(), two.stop()]), [0, 0]);
    assert.equal(
      collector.spans.filter(({ traceId }) => traceId === TRACE).length,
      3,
      "one worker tells of it",
    );
  },
});

Deno.test({
  ...options,
  name: "a collector that is away keeps nobody from working",
  async fn() {
    await using broker = await Broker.start();
    await using project = await Project.create();
    await using client = await Client.connect(broker.port);
    let environment: Record<string, string>;
    {
      await using gone = new Collector();
      environment = gone.environment;
    }
    await using worker = await Worker.start({
      project,
      port: broker.port,
      env: environment,
    });
    assert.equal((await client.run(project.work("t"))).state, "success");
    assert.equal(await worker.stop(), 0);
  },
});

Deno.test({
  ...options,
  name: "what is not switched on is not loaded",
  async fn(t) {
    await using broker = await Broker.start();
    await using collector = new Collector();
    await using project = await Project.create();
    await using client = await Client.connect(broker.port);
    // With a package in its place that can only fail.
    const settings = JSON.parse(await Deno.readTextFile(`${ROOT}deno.json`));
    await Deno.writeTextFile(project.path("loaded.js"), "export {};\n");
    const name = "@opentelemetry/api";
    assert.ok(name in settings.imports);
    await Deno.writeTextFile(
      project.path("deno.json"),
      JSON.stringify({
        imports: settings.imports,
        scopes: { [`file://${ROOT}src/`]: { [name]: "./loaded.js" } },
        lock: { frozen: true },
      }),
    );
    // All else is as it was: no registry is asked.
    await Deno.copyFile(`${ROOT}deno.lock`, project.path("deno.lock"));
    const set = {
      project,
      port: broker.port,
      arguments: ([run, ...rest]: string[]) => [
        run!,
        `--config=${project.path("deno.json")}`,
        ...rest,
      ],
    };
    await t.step("switched on", async () => {
      await using worker = await Worker.spawn({
        ...set,
        env: collector.environment,
      });
      assert.equal((await worker.exited).code, 1);
      await worker.ended();
      assert.ok(
        worker.log.includes(`'${name}' does not provide an export`),
        worker.log,
      );
    });
    await t.step("switched off", async () => {
      await using worker = await Worker.start(set);
      assert.equal((await client.run(project.work("t"))).state, "success");
      assert.equal(await worker.stop(), 0);
    });
    assert.deepEqual(collector.spans, []);
  },
});

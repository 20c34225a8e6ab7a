/** Request and response, as a client of its own sees it. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import type { IPublishPacket, MqttClient } from "mqtt";
import type { TaskStatus } from "../../src/messages/task_status.ts";
import { Broker } from "../harness/broker.ts";
import { Client, open } from "../harness/client.ts";
import { objection } from "../harness/printed_schemas.ts";
import { Project } from "../harness/project.ts";
import { Signer } from "../harness/signing.ts";
import { until } from "../harness/waiting.ts";
import { IMPATIENT, Worker } from "../harness/worker.ts";

/** Bytes that are no text. */
const CORRELATION = Buffer.from([0, 1, 0x80, 0xff, 0xfe, 0x0a, 0xc3, 0x28, 0]);

/** What the configuration allows in these tests. */
const policy = { response_topics: ["clients/*/answers"] };

/** A client that knows nothing but its own topic and the one for requests. */
class Requester implements AsyncDisposable {
  readonly answers: IPublishPacket[] = [];
  readonly topic: string;
  readonly #mqtt: MqttClient;

  private constructor(mqtt: MqttClient, topic: string) {
    this.#mqtt = mqtt;
    this.topic = topic;
    mqtt.on("message", (_topic, _payload, packet) => this.answers.push(packet));
  }

  static async connect(
    port: number,
    topic = "clients/c1/answers",
  ): Promise<Requester> {
    const requester = new Requester(await open(port), topic);
    await requester.#mqtt.subscribeAsync(["clients/#", "leak/#"], { qos: 1 });
    return requester;
  }

  async ask(
    request: string | Record<string, unknown>,
    { topic = this.topic, correlation = CORRELATION, retain = false } = {},
  ): Promise<void> {
    await this.#mqtt.publishAsync(
      "ansible/test/tasks",
      typeof request === "string" ? request : JSON.stringify(request),
      {
        qos: 2,
        retain,
        properties: { responseTopic: topic, correlationData: correlation },
      },
    );
  }

  /** What has come, each as it ought to be sent. */
  read(): Record<string, unknown>[] {
    return this.answers.map((packet) => {
      assert.equal(packet.topic, this.topic);
      assert.equal(packet.retain, false);
      assert.equal(packet.qos, 1);
      assert.deepEqual(packet.properties?.correlationData, CORRELATION);
      assert.equal(packet.properties?.responseTopic, undefined);
      assert.equal(packet.properties?.userProperties, undefined);
      return JSON.parse(packet.payload.toString());
    });
  }

  /** The statuses of a task up to its final one. */
  async statuses(taskId: string): Promise<TaskStatus[]> {
    const mine = () =>
      this.read().filter((answer) =>
        answer.task_id === taskId && "state" in answer
      ) as unknown as TaskStatus[];
    await until(
      `the final answer about ${taskId}`,
      () => mine().some(({ completed_at }) => completed_at !== null),
    );
    for (const status of mine()) {
      assert.equal(objection("status", status), null);
    }
    return mine();
  }

  /** The report that a request was rejected. */
  async rejection(before: number): Promise<Record<string, unknown>> {
    await until("a rejection", () => this.answers.length > before);
    const report = this.read()[before]!;
    assert.equal(objection("rejected", report), null);
    return report;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#mqtt.endAsync(true);
  }
}

function test(name: string, fn: () => Promise<void>): void {
  Deno.test({ name, sanitizeOps: true, sanitizeResources: true, fn });
}

/** The states, each once, in the order in which they were said. */
function course(statuses: TaskStatus[]): string[] {
  return [...new Set(statuses.map(({ state }) => state))];
}

test("an allowed response topic gets the task's statuses, with the correlation data", async () => {
  await using project = await Project.create();
  await using broker = await Broker.start();
  await using client = await Client.connect(broker.port);
  await using requester = await Requester.connect(broker.port);
  await using worker = await Worker.start({
    project,
    port: broker.port,
    narrow: true,
    worker: { max_concurrent_tasks: 2 },
    config: { policy },
  });
  // Two tasks at once on one response topic.
  await requester.ask(project.work("t-1", { seconds: 0.5 }));
  await requester.ask({ ...project.work("t-2"), playbook: "missing.yml" });
  const statuses = await requester.statuses("t-1");
  assert.deepEqual(course(statuses), ["queued", "running", "success"]);
  const final = await client.final("t-1");
  assert.deepEqual(statuses.at(-1), final);
  assert.deepEqual(statuses[0], client.history("t-1")[0]);
  // One that is refused has its answer too.
  const refused = await requester.statuses("t-2");
  assert.deepEqual(refused, [await client.final("t-2")]);
  assert.match(refused[0]!.error_message!, /missing\.yml/);
  assert.equal(await worker.stop(), 0);
  await worker.ended();
  assert.ok(!worker.log.includes("response topic"), worker.log);
});

test("updates on a response topic come no faster than status_interval", async () => {
  await using project = await Project.create({
    "many.yml": `
- hosts: all
  gather_facts: false
  tasks: [{ debug: { msg: x }, loop: "{{ range(60) | list }}" }, { command: sleep 1 }]
`,
  });
  await using broker = await Broker.start();
  await using requester = await Requester.connect(broker.port);
  await using worker = await Worker.start({
    project,
    port: broker.port,
    worker: { status_interval: 3600 },
    config: { policy },
  });
  await requester.ask({
    task_id: "t",
    playbook: "many.yml",
    inventory: "hosts",
  });
  const statuses = await requester.statuses("t");
  assert.deepEqual(
    statuses.map(({ state }) => state),
    ["queued", "running", "success"],
  );
  assert.equal(await worker.stop(), 0);
});

test("a rejected request is told on its response topic too", async () => {
  await using project = await Project.create();
  await using broker = await Broker.start();
  await using requester = await Requester.connect(broker.port);
  await using worker = await Worker.start({
    project,
    port: broker.port,
    config: { policy },
  });
  await requester.ask("{");
  assert.equal((await requester.rejection(0)).reason, "invalid_json");
  await requester.ask({ task_id: "t-1" });
  const report = await requester.rejection(1);
  assert.deepEqual([report.reason, report.task_id], ["invalid_request", "t-1"]);
  await requester.ask(project.work("t-2"));
  await requester.statuses("t-2");
  const before = requester.answers.length;
  await requester.ask(project.work("t-2"));
  assert.equal((await requester.rejection(before)).reason, "duplicate");
  await requester.ask(project.work("t-3"), { retain: true });
  assert.equal((await requester.rejection(before + 1)).reason, "retained");
  assert.equal(await worker.stop(), 0);
});

test("a response topic that is not allowed is ignored, logged once, and stops nothing", async () => {
  await using project = await Project.create();
  await using broker = await Broker.start();
  await using client = await Client.connect(broker.port);
  await using requester = await Requester.connect(broker.port);
  await using worker = await Worker.start({
    project,
    port: broker.port,
    // Everything but what nothing can allow.
    config: { policy: { response_topics: ["clients/c1/*", "ansible/**"] } },
  });
  const topics = [
    "leak/a",
    "clients/c2/answers",
    "clients/c1",
    "clients/c1/a/b",
    "ansible/test",
    "ansible/test/tasks",
    "ansible/test/tasks/t-0/status",
    "ansible/test/rejected",
    "ansible/test/workers/w1/tasks",
    "$SYS/broker",
    "clients//answers",
  ];
  for (const [i, topic] of topics.entries()) {
    await requester.ask(project.work(`t-${i}`), { topic });
    const final = await client.final(`t-${i}`);
    assert.equal(final.state, "success", topic);
  }
  await requester.ask(project.work("t"), {
    topic: "clients/c1/answers",
    correlation: Buffer.alloc(1025),
  });
  assert.equal((await client.final("t")).state, "success");
  await worker.logged("its correlation data has more than 1024 bytes");
  // A report of a bad request may not go there either.
  await requester.ask("{", { topic: "leak/b" });
  await until("the report", () => client.rejected().length > 0);
  // Whatever had been sent would be here before this.
  await requester.ask(project.work("last"));
  await requester.statuses("last");
  assert.deepEqual(
    new Set(requester.read().map((a) => a.task_id)),
    new Set(["last"]),
  );
  assert.deepEqual(client.rejected().map(({ reason }) => reason), [
    "invalid_json",
  ]);
  assert.equal(await worker.stop(), 0);
  await worker.ended();
  for (const [i, topic] of topics.entries()) {
    const lines = worker.log.split("\n").filter((line) =>
      line.includes("the response topic is ignored") &&
      line.includes(`task_id=t-${i} `)
    );
    assert.equal(lines.length, 1, `${topic}\n${worker.log}`);
  }
});

test("without policy.response_topics no topic is allowed, and SIGHUP changes that", async () => {
  await using project = await Project.create();
  await using broker = await Broker.start();
  await using client = await Client.connect(broker.port);
  await using requester = await Requester.connect(broker.port);
  await using worker = await Worker.start({ project, port: broker.port });
  await requester.ask(project.work("t-1"));
  assert.equal((await client.final("t-1")).state, "success");
  await worker.logged("policy.response_topics does not allow it");

  const file = project.path("w1.yaml");
  const config = JSON.parse(await Deno.readTextFile(file));
  await Deno.writeTextFile(file, JSON.stringify({ ...config, policy }));
  worker.signal("SIGHUP");
  await worker.logged("the configuration was read again");
  await requester.ask(project.work("t-2"));
  await requester.statuses("t-2");
  assert.ok(requester.read().every(({ task_id }) => task_id === "t-2"));
  assert.equal(await worker.stop(), 0);
  await worker.ended();
  assert.ok(!worker.log.includes("needs_restart"));
});

test("a task that is handed over is answered for by its new worker", async () => {
  await using project = await Project.create();
  await using broker = await Broker.start();
  await using client = await Client.connect(broker.port);
  await using requester = await Requester.connect(broker.port);
  const start = (id: string) =>
    Worker.start({ project, port: broker.port, id, config: { policy } });
  await using first = await start("w1");
  await client.submit(project.work("blocker", { seconds: 600 }));
  await project.started("blocker");
  await requester.ask(project.work("t"));
  await client.status("t", ({ state }) => state === "queued");
  await using second = await start("w2");
  const statuses = await requester.statuses("t");
  assert.deepEqual(course(statuses), ["queued", "running", "success"]);
  assert.equal(statuses[0]!.worker_id, "w1");
  assert.equal(statuses.at(-1)!.worker_id, "w2");
  await second.stop();
  await first.stop();
});

test("what a lost worker leaves behind is answered for by whoever ends it", async () => {
  await using project = await Project.create();
  await using broker = await Broker.start();
  await using client = await Client.connect(broker.port);
  await using requester = await Requester.connect(broker.port);
  const start = (id: string) =>
    Worker.start({
      project,
      port: broker.port,
      id,
      config: { policy },
      inner: IMPATIENT,
    });
  await using lost = await start("w1");
  await requester.ask(project.work("t-1", { seconds: 600 }));
  await project.started("t-1");
  await lost.kill();
  // Its next process ends the run that it did not see through.
  await using next = await start("w1");
  const [end] = (await requester.statuses("t-1")).slice(-1);
  assert.equal(end!.state, "failed");
  assert.match(end!.error_message!, /the worker stopped while/);

  await requester.ask(project.work("t-2", { seconds: 600 }));
  await project.started("t-2");
  await requester.ask(project.work("t-3"));
  await client.status("t-3", ({ state }) => state === "queued");
  await next.kill();
  await using adopter = await start("w2");
  const moved = await requester.statuses("t-3");
  assert.equal(moved.at(-1)!.state, "success");
  assert.equal(moved.at(-1)!.worker_id, "w2");
  const ended = await requester.statuses("t-2");
  assert.equal(ended.at(-1)!.state, "failed");
  assert.equal(await adopter.stop(), 0);
});

test("a stranger to a worker with trusted keys gets no answer", async () => {
  await using project = await Project.create();
  await using broker = await Broker.start();
  await using client = await Client.connect(broker.port);
  await using requester = await Requester.connect(broker.port);
  const signer = await Signer.create("controller");
  await Deno.writeTextFile(project.path("controller.pem"), signer.pem);
  await using worker = await Worker.start({
    project,
    port: broker.port,
    config: {
      policy,
      security: {
        trusted_keys: [{ id: "controller", file: "controller.pem" }],
      },
    },
  });
  const jws = await signer.sign(project.work("t-1"), { taskId: "t-1" });
  const stranger = await (await Signer.create("stranger"))
    .sign(project.work("t-2"), { taskId: "t-2" });
  await requester.ask(project.work("t-2"));
  await requester.ask(stranger);
  await requester.ask(project.work("t-2"), { retain: true });
  await until("the reports", () => client.rejected().length === 3);
  await requester.ask(jws);
  assert.equal((await requester.statuses("t-1")).at(-1)!.state, "success");
  // Nor does whoever has got hold of a message.
  const before = requester.answers.length;
  await requester.ask(jws);
  await until("the report", () => client.rejected().length === 4);
  // But whoever has signed what is wrong does, and that is the next answer.
  await requester.ask(await signer.sign({ task_id: "t-3" }, { taskId: "t-3" }));
  assert.equal((await requester.rejection(before)).reason, "invalid_request");
  assert.deepEqual(
    new Set(requester.read().map(({ task_id }) => task_id)),
    new Set(["t-1", "t-3"]),
  );
  assert.equal(await worker.stop(), 0);
});

test("a response topic that the broker refuses holds up nothing, and is said once", async () => {
  await using project = await Project.create();
  const rules = project.path("rules");
  await Deno.writeTextFile(rules, "topic readwrite ansible/#\ntopic read #\n");
  await using broker = await Broker.start({ extra: [`acl_file ${rules}`] });
  await using client = await Client.connect(broker.port);
  await using requester = await Requester.connect(broker.port);
  await using worker = await Worker.start({
    project,
    port: broker.port,
    worker: { status_interval: 0.05 },
    config: { policy },
  });
  for (const id of ["t-1", "t-2"]) {
    await requester.ask(project.work(id, { seconds: 0.5 }));
    assert.equal((await client.final(id)).state, "success");
  }
  assert.equal(await worker.stop(), 0);
  await worker.ended();
  const lines = worker.log.split("\n").filter((line) =>
    line.includes("cannot publish on a response topic")
  );
  assert.equal(lines.length, 2, worker.log);
  assert.match(lines[0]!, /not authorized/);
  assert.deepEqual(requester.answers, []);
});

import assert from "node:assert/strict";
import type { IPublishPacket } from "mqtt-packet";
import { taskStatusSchema } from "../../src/messages/task_status.ts";
import { Broker } from "../harness/broker.ts";
import { Client, open } from "../harness/client.ts";
import { localHosts, Project } from "../harness/project.ts";
import { nothingHeld } from "../harness/verdict.ts";
import { within } from "../harness/waiting.ts";
import { Worker } from "../harness/worker.ts";

const FIELDS = [
  "task_id",
  "state",
  "created_at",
  "started_at",
  "completed_at",
  "duration_seconds",
  "tasks_total",
  "tasks_ok",
  "tasks_changed",
  "tasks_failed",
  "tasks_skipped",
  "tasks_unreachable",
  "return_code",
  "error_message",
  "tasks_rescued",
  "tasks_ignored",
  "playbook",
  "inventory",
  "worker_id",
  "current_task",
  "template",
  "revision",
  "lock",
  "failed_hosts",
  "unreachable_hosts",
  "stats",
];

Deno.test({
  name: "a request becomes a run, and its status says all there is, in order",
  sanitizeOps: true,
  sanitizeResources: true,
  async fn() {
    await using broker = await Broker.start();
    await using project = await Project.create({
      hosts: localHosts("h1", "h2"),
      "site.yml": `
- hosts: all
  gather_facts: false
  tasks:
    - name: first
      debug: msg=1
    - name: second
      command: sh -c 'while [ -e {{ hold }} ]; do sleep 0.05; done'
    - name: third
      debug: msg=3
      when: inventory_hostname == "h1"
`,
    });
    await using client = await Client.connect(broker.port);
    await using worker = await Worker.start({ project, port: broker.port });
    const hold = project.path("hold");
    await Deno.writeTextFile(hold, "");
    await client.submit({
      task_id: "t-1",
      playbook: "site.yml",
      inventory: "hosts",
      extra_vars: { hold },
    });
    await client.status("t-1", ({ current_task }) => current_task === "second");
    await Deno.remove(hold);
    const final = await client.final("t-1");
    const history = client.history("t-1");
    for (const status of history) {
      assert.deepEqual(Object.keys(status), FIELDS);
      taskStatusSchema.parse(status);
    }
    const [first] = history;
    assert.equal(first!.state, "queued");
    assert.equal(first!.started_at, null);
    assert.equal(first!.duration_seconds, null);
    const running = history.filter(({ state }) => state === "running");
    assert.ok(running.length >= 2, "there are updates while it runs");
    assert.ok(running.some(({ current_task }) => current_task === "second"));
    assert.ok(
      running.every(({ tasks_total }, i) =>
        i === 0 || tasks_total >= running[i - 1]!.tasks_total
      ),
    );
    assert.ok(running.every(({ started_at }) => started_at !== null));
    assert.deepEqual(
      {
        ...final,
        created_at: 0,
        started_at: 0,
        completed_at: 0,
        duration_seconds: 0,
      },
      {
        task_id: "t-1",
        state: "success",
        created_at: 0,
        started_at: 0,
        completed_at: 0,
        duration_seconds: 0,
        tasks_total: 6,
        tasks_ok: 5,
        tasks_changed: 2,
        tasks_failed: 0,
        tasks_skipped: 1,
        tasks_unreachable: 0,
        return_code: 0,
        error_message: null,
        tasks_rescued: 0,
        tasks_ignored: 0,
        playbook: "site.yml",
        inventory: "hosts",
        worker_id: "w1",
        current_task: null,
        template: null,
        revision: null,
        lock: null,
        failed_hosts: { names: [], more: 0 },
        unreachable_hosts: { names: [], more: 0 },
        stats: null,
      },
    );
    const took = new Date(final.completed_at!).getTime() -
      new Date(final.started_at!).getTime();
    assert.ok(Math.abs(took / 1000 - final.duration_seconds!) < 0.01);
    assert.equal(
      history.filter(({ completed_at }) => completed_at !== null).length,
      1,
    );
    const retained = await client.retained(
      broker.port,
      "ansible/test/tasks/t-1/status",
    );
    assert.deepEqual(JSON.parse(retained!), final);
    assert.equal(await worker.stop(), 0);
  },
});

Deno.test({
  name: "updates come no faster than status_interval, and the last one counts",
  sanitizeOps: true,
  sanitizeResources: true,
  async fn() {
    await using broker = await Broker.start();
    await using project = await Project.create({
      "many.yml": `
- hosts: all
  gather_facts: false
  tasks:
    - debug: msg="{{ lookup('pipe', 'sleep 0.02') }}"
${"    - debug: msg=1\n".repeat(200)}
`,
    });
    await using client = await Client.connect(broker.port);
    await using worker = await Worker.start({
      project,
      port: broker.port,
      worker: { status_interval: 0.5 },
    });
    const final = await client.run({
      task_id: "many",
      playbook: "many.yml",
      inventory: "hosts",
    });
    assert.equal(final.tasks_ok, 201);
    // By the worker's own clock: when a message is seen says little of when it
    // was sent.
    const times = client.history("many")
      .filter(({ state }) => state === "running")
      .map(({ duration_seconds }) => duration_seconds!);
    const gaps = times.slice(1).map((at, i) => at - times[i]!);
    assert.ok(gaps.every((gap) => gap > 0.4), `gaps: ${gaps}`);
    console.log(
      `200 play tasks in ${final.duration_seconds} s: ${times.length} updates`,
    );
    assert.ok(times.length <= 2 + final.duration_seconds! / 0.5);
    assert.equal(await worker.stop(), 0);
  },
});

Deno.test({
  name:
    "a final status that is larger than the broker takes is shortened, and says so",
  sanitizeOps: true,
  sanitizeResources: true,
  async fn() {
    await using broker = await Broker.start({
      extra: ["max_packet_size 3000"],
    });
    await using project = await Project.create({
      hosts: localHosts("h1", "h2", "h3"),
      "fail.yml": `
- hosts: all
  gather_facts: false
  tasks:
    - name: first
      fail:
        msg: "{{ 'x' * 1900 }}"
`,
    });
    await using client = await Client.connect(broker.port);
    await using worker = await Worker.start({ project, port: broker.port });
    const final = await client.run({
      task_id: "t",
      playbook: "fail.yml",
      inventory: "hosts",
    });
    assert.equal(final.state, "failed");
    assert.equal(final.tasks_failed, 3);
    assert.equal(final.return_code, 2);
    assert.match(
      final.error_message!,
      /^h\d: failed at "first": x{100,}[^]*… \(shortened: /,
    );
    const kept = await client.retained(
      broker.port,
      "ansible/test/tasks/t/status",
    );
    assert.deepEqual(JSON.parse(kept!), final);
    assert.equal((await client.run(project.work("next"))).state, "success");
    await nothingHeld(client, broker.port, ["w1"]);
    assert.doesNotMatch(worker.log, /no connection/);
    assert.equal(await worker.stop(), 0);
  },
});

for (
  const [retention, expected] of [
    [7200, 7200],
    [2_592_000, 2_592_000],
    [0, undefined],
  ] as const
) {
  Deno.test({
    name: `with status_retention: ${retention} a final status is kept ${
      retention === 0 ? "for ever" : "for that time"
    }${retention > 2_147_483 ? ", where the broker can count it" : ""}`,
    sanitizeOps: true,
    sanitizeResources: true,
    async fn() {
      await using broker = await Broker.start();
      await using project = await Project.create();
      await using client = await Client.connect(broker.port);
      await using worker = await Worker.start({
        project,
        port: broker.port,
        worker: { status_retention: retention },
      });
      assert.equal(
        worker.log.includes("WARN  worker.status_retention is more than"),
        retention > 2_147_483,
      );
      await client.run(project.work("kept"));
      const late = await open(broker.port);
      try {
        const { promise, resolve } = Promise.withResolvers<IPublishPacket>();
        late.on("message", (_topic, _payload, packet) => resolve(packet));
        await late.subscribeAsync("ansible/test/tasks/kept/status");
        const packet = await within("the retained status", promise);
        assert.equal(packet.retain, true);
        const expiry = packet.properties?.messageExpiryInterval;
        // The broker tells how much of it is left.
        if (expected === undefined) assert.equal(expiry, undefined);
        else assert.ok(expiry! <= expected && expiry! > expected - 60);
      } finally {
        await late.endAsync(true);
      }
      assert.equal(await worker.stop(), 0);
    },
  });
}

Deno.test({
  name: "a broker that takes no large packets gets a shorter final status",
  sanitizeOps: true,
  sanitizeResources: true,
  async fn() {
    await using broker = await Broker.start({
      extra: ["max_packet_size 10000"],
    });
    await using project = await Project.create({
      "large.yml": `
- hosts: all
  gather_facts: false
  tasks:
    - set_stats: { data: { text: "{{ 'x' * 60000 }}" } }
    - fail: { msg: "that was all" }
`,
    });
    await using client = await Client.connect(broker.port);
    const large = "x".repeat(1000);
    await using worker = await Worker.start({
      project,
      port: broker.port,
      config: {
        templates: Object.fromEntries(
          Array.from({ length: 20 }, (_, i) => [`t${i}`, {
            playbook: "large.yml",
            inventory: "hosts",
            description: large,
          }]),
        ),
      },
    });
    const final = await client.run({
      task_id: "t",
      playbook: "large.yml",
      inventory: "hosts",
    });
    assert.equal(final.state, "failed");
    assert.equal(final.stats, null);
    assert.deepEqual(final.failed_hosts, { names: ["h1"], more: 0 });
    assert.match(final.error_message!, /that was all/);
    const { text } = await client.message(
      "the presence",
      ({ topic }) => topic === "ansible/test/workers/w1/status",
    );
    assert.equal(JSON.parse(text).templates, undefined);
    assert.equal(await worker.stop(), 0);
  },
});

/** What the metrics say is what has happened. */
import assert from "node:assert/strict";
import { isDeepStrictEqual } from "node:util";
import type { TaskStatus } from "../../src/messages/task_status.ts";
import { freePort, freePorts } from "../../dev/programs.ts";
import { Broker } from "../harness/broker.ts";
import { Client } from "../harness/client.ts";
import { Project } from "../harness/project.ts";
import { Scrape } from "../harness/scrape.ts";
import { until } from "../harness/waiting.ts";
import { IMPATIENT, Worker } from "../harness/worker.ts";

/** The configuration of a worker that listens on a port. */
const listening = (port: number) => ({
  metrics: { listen: `127.0.0.1:${port}` },
});

const BROKEN = `
- hosts: all
  gather_facts: false
  tasks:
    - fail:
`;

/** How far two timestamps may be from the time between them. */
const TIMESTAMP_SECONDS = 0.002;

Deno.test({
  name:
    "tasks are counted by what became of them, and timed as in their status",
  sanitizeOps: true,
  sanitizeResources: true,
  async fn() {
    await using broker = await Broker.start();
    await using project = await Project.create({ "broken.yml": BROKEN });
    await using client = await Client.connect(broker.port);
    const port = freePort();
    await using worker = await Worker.start({
      project,
      port: broker.port,
      config: listening(port),
      worker: { max_queue_size: 1, when_full: "wait" },
      narrow: true,
    });
    const before = await Scrape.of(port);
    for (
      const name of [
        "tasks_ended_total",
        "messages_rejected_total",
        "launcher_restarts_total",
        "reconnects_total",
      ]
    ) {
      assert.deepEqual(
        before.by(name, "(state|reason|connection)"),
        {},
        "every series begins with 0",
      );
    }
    assert.equal(before.value("launcher_start_seconds_count"), 1);
    assert.ok(before.value("launcher_start_seconds_sum") > 0);
    assert.deepEqual(before.by("presence", "state"), { online: 1 });
    assert.equal(before.value("healthy"), 1);
    const presence = JSON.parse(
      (await client.message(
        "the presence",
        ({ topic }) => topic === "ansible/test/workers/w1/status",
      )).text,
    );
    assert.equal(
      before.value("build_info", {
        version: presence.version,
        ansible_version: presence.ansible_version,
      }),
      1,
    );

    const finals: TaskStatus[] = [];
    const ran = async (id: string, more = {}) => {
      finals.push(await client.run(project.work(id, more)));
    };
    await ran("ok-1");
    await ran("ok-2");
    await ran("bad", { playbook: "broken.yml" });
    await ran("late", { seconds: 30, timeout: 1 });
    await ran("refused", { playbook: "nowhere.yml" });
    await client.submit(project.work("long", { seconds: 600 }));
    await project.started("long");
    await client.submit(project.work("waits"));
    await client.status("waits", ({ state }) => state === "queued");

    // Stays with the broker until there is room.
    await client.submit(project.work("beyond"));
    await until(
      "its delivery",
      async () => (await Scrape.of(port)).value("unanswered_deliveries") === 1,
    );

    const busy = await Scrape.of(port);
    const gauges = (scrape: Scrape) =>
      Object.fromEntries(
        [
          "slots",
          "free_slots",
          "tasks_running",
          "tasks_queued",
          "unanswered_deliveries",
        ].map((name) => [name, scrape.value(name)]),
      );
    assert.deepEqual(gauges(busy), {
      slots: 1,
      free_slots: 0,
      tasks_running: 1,
      tasks_queued: 1,
      unanswered_deliveries: 1,
    });

    await client.cancel("waits");
    finals.push(await client.final("waits"));
    await client.cancel("long");
    finals.push(await client.final("long"));
    finals.push(await client.final("beyond"));

    const tasks = `${client.base}/tasks`;
    await client.publish(tasks, "no JSON", { qos: 2 });
    await client.publish(tasks, "{}", { qos: 2 });
    await client.submit(project.work("ok-1"));
    await client.submit(project.work("ok-2"));
    await until("what is rejected", () => client.rejected().length === 4);

    // What is rejected is published before its delivery is answered.
    let after = busy;
    await until("nothing to be left to do", async () => {
      after = await Scrape.of(port);
      return isDeepStrictEqual(gauges(after), {
        slots: 1,
        free_slots: 1,
        tasks_running: 0,
        tasks_queued: 0,
        unanswered_deliveries: 0,
      });
    });
    const count = (names: string[]) => {
      const counts: Record<string, number> = {};
      for (const name of names) counts[name] = (counts[name] ?? 0) + 1;
      return counts;
    };
    assert.deepEqual(
      after.by("tasks_ended_total", "state"),
      count(finals.map(({ state }) => state)),
    );
    assert.deepEqual(
      after.by("tasks_ended_total", "state"),
      { success: 3, failed: 2, timeout: 1, cancelled: 2 },
    );
    assert.equal(after.value("tasks_refused_total"), 1);
    assert.deepEqual(
      after.by("messages_rejected_total", "reason"),
      count(client.rejected().map(({ reason }) => reason as string)),
    );
    assert.deepEqual(
      after.by("messages_rejected_total", "reason"),
      { invalid_json: 1, invalid_request: 1, duplicate: 2 },
    );

    const started = finals.filter(({ started_at }) => started_at !== null);
    const at = (time: string | null) => Date.parse(time!) / 1000;
    const sum = (seconds: number[]) => seconds.reduce((a, b) => a + b, 0);
    const close = (name: string, expected: number, within = 1e-6) => {
      const found = after.value(name);
      assert.ok(Math.abs(found - expected) < within, `${name}: ${found}`);
    };
    assert.equal(started.length, 6);
    close("task_wait_seconds_count", started.length);
    close("task_run_seconds_count", started.length);
    close(
      "task_wait_seconds_sum",
      sum(started.map((one) => at(one.started_at) - at(one.created_at))),
      // Times are printed in milliseconds, by a clock of their own.
      started.length * TIMESTAMP_SECONDS,
    );
    close(
      "task_run_seconds_sum",
      sum(started.map(({ duration_seconds }) => duration_seconds!)),
    );
    for (const le of ["1", "60"]) {
      assert.equal(
        after.value("task_run_seconds_bucket", { le }),
        started.filter(({ duration_seconds }) =>
          duration_seconds! <= Number(le)
        )
          .length,
      );
    }
    assert.deepEqual(
      after.labels(),
      [
        "ansible_version",
        "connection",
        "le",
        "reason",
        "state",
        "version",
      ],
      "no label is taken from a message",
    );
    assert.equal(await worker.stop(), 0);
  },
});

Deno.test({
  name: "a task that another worker takes is counted by both",
  sanitizeOps: true,
  sanitizeResources: true,
  async fn() {
    await using broker = await Broker.start();
    await using project = await Project.create();
    await using client = await Client.connect(broker.port);
    const [first, second] = freePorts(2) as [number, number];
    await using one = await Worker.start({
      project,
      port: broker.port,
      config: listening(first),
    });
    await client.submit(project.work("long", { seconds: 600 }));
    await project.started("long");
    await client.submit(project.work("moves"));
    await client.status("moves", ({ state }) => state === "queued");
    await using two = await Worker.start({
      project,
      port: broker.port,
      id: "w2",
      config: listening(second),
    });
    const final = await client.final("moves");
    assert.equal(final.worker_id, "w2");
    await one.logged("the task was handed over");
    const [from, to] = [await Scrape.of(first), await Scrape.of(second)];
    assert.equal(from.value("tasks_handed_over_total"), 1);
    assert.deepEqual(from.by("tasks_ended_total", "state"), {});
    assert.equal(to.value("tasks_handed_over_total"), 0);
    assert.deepEqual(to.by("tasks_ended_total", "state"), { success: 1 });
    const waited = Date.parse(final.started_at!) - Date.parse(final.created_at);
    const counted = to.value("task_wait_seconds_sum");
    assert.ok(
      Math.abs(counted - waited / 1000) < TIMESTAMP_SECONDS,
      `from its first worker's acceptance on: ${counted}`,
    );
    await client.cancel("long");
    await client.final("long");
    assert.deepEqual(await Promise.all([one.stop(), two.stop()]), [0, 0]);
  },
});

Deno.test({
  name: "what a killed worker has left behind is counted by whoever ends it",
  sanitizeOps: true,
  sanitizeResources: true,
  async fn(t) {
    await using broker = await Broker.start();
    await using project = await Project.create();
    await using client = await Client.connect(broker.port);
    const [first, second] = freePorts(2) as [number, number];
    const start = (id: string, port: number) =>
      Worker.start({
        project,
        port: broker.port,
        id,
        config: listening(port),
        inner: IMPATIENT,
      });
    const counts = async (port: number) => {
      const scrape = await Scrape.of(port);
      return {
        ended: scrape.by("tasks_ended_total", "state"),
        left: scrape.value("tasks_left_behind_total"),
        adopted: scrape.value("workers_adopted_total"),
      };
    };
    await using one = await start("w1", first);
    await client.submit(project.work("a", { seconds: 600 }));
    await project.started("a");
    await one.kill();
    await using again = await start("w1", first);
    await client.final("a");

    await t.step("its own next process", async () => {
      assert.deepEqual(await counts(first), {
        ended: { failed: 1 },
        left: 1,
        adopted: 0,
      });
    });

    await client.submit(project.work("b", { seconds: 600 }));
    await project.started("b");
    await using two = await start("w2", second);
    await again.kill();
    await two.logged("worker w1 is adopted");

    await t.step("the worker that adopts its session", async () => {
      assert.deepEqual(await counts(second), {
        ended: { failed: 1 },
        left: 1,
        adopted: 1,
      });
    });
    assert.equal((await client.final("b")).state, "failed");
    assert.equal(await two.stop(), 0);
  },
});

Deno.test({
  name: "launchers are counted by why they had to be replaced",
  sanitizeOps: true,
  sanitizeResources: true,
  async fn() {
    await using broker = await Broker.start();
    await using project = await Project.create();
    await using client = await Client.connect(broker.port);
    const port = freePort();
    await using worker = await Worker.start({
      project,
      port: broker.port,
      config: listening(port),
    });
    const childOf = async (pid: number) => {
      let pids: number[] = [];
      await until("the only child", async () => {
        pids = (await project.processes())
          .filter(({ parent }) => parent === pid).map(({ pid }) => pid);
        return pids.length === 1;
      });
      return pids[0]!;
    };
    const restarts = async () =>
      (await Scrape.of(port)).by("launcher_restarts_total", "reason");

    await project.write({ "ansible.cfg": "[defaults]\nforks = 3\n" });
    assert.equal((await client.run(project.work("a"))).state, "success");
    assert.deepEqual(await restarts(), { changed: 1 });

    Deno.kill(await childOf(worker.pid), "SIGKILL");
    await until("the count", async () => (await restarts()).died === 1);
    await client.submit(project.work("b", { seconds: 600 }));
    await project.started("b");
    // The supervisor of the run, without which its launcher leaves too.
    Deno.kill(await childOf(await childOf(worker.pid)), "SIGKILL");
    assert.equal((await client.final("b")).state, "failed");
    assert.deepEqual(await restarts(), {
      changed: 1,
      died: 1,
      died_running: 1,
    });
    assert.equal((await client.run(project.work("c"))).state, "success");
    assert.deepEqual(await restarts(), {
      changed: 1,
      died: 1,
      died_running: 1,
    });
    assert.equal(await worker.stop(), 0);
  },
});

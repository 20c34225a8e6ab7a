/** The clock of the host is set while a task runs and another one waits. */
import assert from "node:assert/strict";
import { Broker } from "../harness/broker.ts";
import { Client } from "../harness/client.ts";
import { Project } from "../harness/project.ts";
import { PATIENCE, until } from "../harness/waiting.ts";
import { Worker } from "../harness/worker.ts";

/** Play tasks of the run, and how long each takes, in seconds. */
const TASKS = 10;
const EACH = 0.4;

/** Sets the clock of a process: what a file says is added, in milliseconds. */
const CLOCK = (file: string) => `
const Real = Date;
const offset = () => Number(Deno.readTextFileSync(${JSON.stringify(file)}));
globalThis.Date = class extends Real {
  constructor(...given) {
    if (given.length > 0) super(...given);
    else super(Real.now() + offset());
  }
  static now() {
    return Real.now() + offset();
  }
};
`;

Deno.test({
  name: "a clock that is set changes what is printed, and nothing else",
  sanitizeOps: true,
  sanitizeResources: true,
  async fn() {
    await using broker = await Broker.start();
    await using project = await Project.create({
      "slow.yml": `- hosts: all\n  gather_facts: false\n  tasks:\n${
        `    - debug: msg="{{ lookup('pipe', 'sleep ${EACH}') }}"\n`.repeat(
          TASKS,
        )
      }    - debug: msg="{{ lookup('pipe', 'while [ -e ' ~ held ~ ' ]; do sleep 0.05; done') }}"\n`,
    });
    const held = project.path("held");
    await Deno.writeTextFile(held, "");
    const file = project.path("offset");
    await Deno.writeTextFile(file, "0");
    await Deno.writeTextFile(project.path("clock.js"), CLOCK(file));
    await using client = await Client.connect(broker.port);
    await using worker = await Worker.start({
      project,
      port: broker.port,
      arguments: ([run, ...rest]) => [
        run!,
        `--preload=${project.path("clock.js")}`,
        ...rest,
      ],
    });
    const since = performance.now();
    await client.submit({
      task_id: "slow",
      playbook: "slow.yml",
      inventory: "hosts",
      extra_vars: { held },
    });
    await client.submit(project.work("waits"), { messageExpiryInterval: 60 });
    const at = (count: number) =>
      client.status(
        "slow",
        ({ state, tasks_ok }) => state === "running" && tasks_ok >= count,
      );
    await at(1);
    await Deno.writeTextFile(file, String(-3600_000));
    // Updates go on.
    await at(3);
    await Deno.writeTextFile(file, String(7200_000));
    await at(5);
    await Deno.remove(held);
    const slow = await client.final("slow");
    assert.equal(slow.state, "success");
    const seconds = slow.duration_seconds!;
    const most = (performance.now() - since) / 1000;
    assert.ok(
      seconds >= TASKS * EACH && seconds < most,
      `it took ${seconds} s of ${most} s`,
    );
    const waited = await client.final("waits");
    assert.equal(waited.error_message, null);
    assert.equal(waited.state, "success");
    // What is printed is what the clock says.
    const hours = (Date.parse(waited.started_at!) - Date.now()) / 3600_000;
    assert.ok(hours > 1.9 && hours < 2.1, waited.started_at!);
    assert.equal(await worker.stop(), 0);
  },
});

Deno.test({
  name:
    "workers whose clocks are 2 s apart run each time of a schedule once, and refuse none",
  sanitizeOps: true,
  sanitizeResources: true,
  async fn() {
    await using broker = await Broker.start();
    await using project = await Project.create();
    await using client = await Client.connect(broker.port);
    const templates = {
      often: {
        playbook: "work.yml",
        inventory: "hosts",
        extra_vars: { id: "often", truth: project.truthFile, seconds: 0 },
        schedule: { cron: "*/2 * * * * *" },
      },
    };
    const start = async (id: string, offset: number) => {
      await Deno.writeTextFile(project.path(`${id}.offset`), String(offset));
      const preload = project.path(`${id}.js`);
      await Deno.writeTextFile(preload, CLOCK(project.path(`${id}.offset`)));
      return await Worker.start({
        project,
        port: broker.port,
        id,
        // What runs when they stop is to end by itself.
        worker: { shutdown_grace: PATIENCE },
        config: { templates },
        arguments: ([run, ...rest]) => [run!, `--preload=${preload}`, ...rest],
      });
    };
    await using one = await start("w1", 0);
    await using two = await start("w2", 2000);
    await using three = await start("w3", 1000);
    const ended = () =>
      client.messages.filter(({ topic }) =>
        /\/tasks\/often:[^/]*\/status$/.test(topic)
      ).map(({ text }) => JSON.parse(text))
        .filter(({ completed_at }) => completed_at !== null);
    await until("some times", () => ended().length >= 10);
    const workers = [one, two, three];
    const codes = await Promise.all(workers.map((worker) => worker.stop()));
    assert.deepEqual(codes, [0, 0, 0]);
    const starts = (await project.truth()).filter(({ what }) =>
      what === "start"
    );
    await until("the last statuses", () => ended().length >= starts.length);
    const statuses = ended();
    assert.ok(statuses.every(({ state }) => state === "success"));
    const ids = statuses.map(({ task_id }) => task_id);
    assert.equal(new Set(ids).size, ids.length);
    assert.equal(starts.length, ids.length);
    assert.deepEqual(client.rejected(), []);
  },
});

/** Health says whether a worker can take a task, and why it cannot. */
import assert from "node:assert/strict";
import { freePort, freePorts } from "../../dev/programs.ts";
import { Broker } from "../harness/broker.ts";
import { Client } from "../harness/client.ts";
import { Project } from "../harness/project.ts";
import { Proxy } from "../harness/proxy.ts";
import { health, Scrape } from "../harness/scrape.ts";
import { until } from "../harness/waiting.ts";
import { Worker } from "../harness/worker.ts";

const options = { sanitizeOps: true, sanitizeResources: true };

/** Settles when health is as it should be. */
async function isNow(
  port: number,
  status: number,
  says: { state: string; reason?: string },
): Promise<void> {
  let last: unknown;
  await until(`${status} ${JSON.stringify(says)}`, async () => {
    const now = await health(port);
    last = now;
    return now.status === status && now.state === says.state &&
      now.reason === says.reason && now.healthy === (status === 200);
  }).catch((error) => {
    throw new Error(`${error.message}; it was ${JSON.stringify(last)}`);
  });
}

Deno.test({
  ...options,
  name: "a worker is healthy from ready on, but not while the broker is away",
  async fn() {
    await using broker = await Broker.start();
    await using proxy = Proxy.to(broker.port);
    await using project = await Project.create();
    await using client = await Client.connect(broker.port);
    const port = freePort();
    proxy.cut();
    await using worker = await Worker.spawn({
      project,
      port: proxy.port,
      config: { metrics: { listen: `127.0.0.1:${port}` } },
    });
    await worker.logged("cannot connect to the broker");
    await isNow(port, 503, {
      state: "starting",
      reason:
        "the worker is starting: its playbooks, Ansible or the broker are not ready yet",
    });
    proxy.heal();
    await worker.logged("ready for tasks");
    await isNow(port, 200, { state: "online" });

    for (const times of [1, 2]) {
      await broker.stop();
      await isNow(port, 503, {
        state: "offline",
        reason:
          "no connection to the broker (control and intake); trying again",
      });
      const away = await Scrape.of(port);
      assert.deepEqual(away.by("connected", "connection"), {});
      assert.deepEqual(away.by("presence", "state"), { offline: 1 });
      assert.equal(away.value("healthy"), 0);
      await broker.start();
      await isNow(port, 200, { state: "online" });
      const back = await Scrape.of(port);
      assert.deepEqual(back.by("connected", "connection"), {
        control: 1,
        intake: 1,
      });
      assert.deepEqual(back.by("reconnects_total", "connection"), {
        control: times,
        intake: times,
      });
    }
    assert.equal((await client.run(project.work("t"))).state, "success");
    assert.equal(await worker.stop(), 0);
  },
});

Deno.test({
  ...options,
  name: "a worker that is stopping is not healthy, and then nobody listens",
  async fn() {
    await using broker = await Broker.start();
    await using project = await Project.create();
    await using client = await Client.connect(broker.port);
    const port = freePort();
    await using worker = await Worker.start({
      project,
      port: broker.port,
      worker: { shutdown_grace: 60 },
      config: { metrics: { listen: `127.0.0.1:${port}` } },
    });
    await client.submit(project.work("t", { seconds: 600 }));
    await project.started("t");
    await isNow(port, 200, { state: "online" });
    worker.signal("SIGTERM");
    await isNow(port, 503, {
      state: "draining",
      reason: "the worker is stopping: it takes no more tasks",
    });
    assert.equal((await Scrape.of(port)).value("tasks_running"), 1);
    await client.cancel("t");
    assert.equal((await worker.exited).code, 0);
    await assert.rejects(Deno.connect({ hostname: "127.0.0.1", port }));
  },
});

Deno.test({
  ...options,
  name: "a worker is not healthy while ansible-playbook cannot be started",
  async fn() {
    await using broker = await Broker.start();
    await using project = await Project.create();
    await using client = await Client.connect(broker.port);
    const bin = project.path("bin");
    await Deno.mkdir(bin);
    const program = `${bin}/ansible-playbook`;
    const { stdout } = await new Deno.Command("sh", {
      args: ["-c", "command -v ansible-playbook"],
    }).output();
    const real = new TextDecoder().decode(stdout).trim();
    const install = async (text: string) => {
      await Deno.writeTextFile(`${program}.new`, text, { mode: 0o755 });
      await Deno.rename(`${program}.new`, program);
    };
    const working = await Deno.readTextFile(real);
    await install(working);
    const port = freePort();
    await using worker = await Worker.start({
      project,
      port: broker.port,
      env: { PATH: `${bin}:${Deno.env.get("PATH")}` },
      config: { metrics: { listen: `127.0.0.1:${port}` } },
    });
    assert.equal((await client.run(project.work("a"))).state, "success");
    await isNow(port, 200, { state: "online" });

    await install("#!/bin/sh\necho it is broken >&2\nexit 3\n");
    // What waits was made from another configuration: it has to be replaced.
    await project.write({ "ansible.cfg": "[defaults]\nforks = 3\n" });
    const final = await client.run(project.work("b"));
    assert.equal(final.state, "failed");
    await isNow(port, 503, { state: "online", reason: final.error_message! });
    assert.match(final.error_message!, /ended with 3: it is broken/);

    await install(working);
    await isNow(port, 200, { state: "online" });
    assert.equal((await client.run(project.work("c"))).state, "success");
    assert.equal(await worker.stop(), 0);
  },
});

Deno.test({
  ...options,
  name: "another address for metrics needs a restart",
  async fn() {
    await using broker = await Broker.start();
    await using project = await Project.create();
    const [port, other] = freePorts(2) as [number, number];
    await using worker = await Worker.start({
      project,
      port: broker.port,
      config: { metrics: { listen: `127.0.0.1:${port}` } },
    });
    const file = project.path("w1.yaml");
    const config = JSON.parse(await Deno.readTextFile(file));
    config.metrics.listen = `127.0.0.1:${other}`;
    await Deno.writeTextFile(file, JSON.stringify(config));
    worker.signal("SIGHUP");
    await worker.logged("needs_restart=metrics.listen");
    await isNow(port, 200, { state: "online" });
    assert.equal(await worker.stop(), 0);
  },
});

Deno.test({
  ...options,
  name: "a port that is taken, or an address of another host, is told at start",
  async fn(t) {
    await using broker = await Broker.start();
    await using project = await Project.create();
    using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    for (
      const [listen, reason] of [
        [
          `127.0.0.1:${taken.addr.port}`,
          "the port is in use by another program",
        ],
        [
          // Kept for documentation: no host has it (RFC 5737).
          `192.0.2.1:${freePort()}`,
          "this host does not have the address",
        ],
      ] as const
    ) {
      await t.step(reason, async () => {
        await using worker = await Worker.spawn({
          project,
          port: broker.port,
          config: { metrics: { listen } },
        });
        assert.equal((await worker.exited).code, 1);
        await worker.ended();
        assert.ok(
          worker.log.includes(
            `Cannot listen on ${listen} for metrics and health: ${reason}; change metrics.listen`,
          ),
          worker.log,
        );
        assert.ok(!worker.log.includes("starting Ansible"));
      });
    }
  },
});

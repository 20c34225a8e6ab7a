import assert from "node:assert/strict";
import { Broker } from "../harness/broker.ts";
import { Client } from "../harness/client.ts";
import { Project } from "../harness/project.ts";
import { allFinal, keptPromises, nothingHeld } from "../harness/verdict.ts";
import { pause, until } from "../harness/waiting.ts";
import { Worker } from "../harness/worker.ts";

Deno.test({
  name: "two workers of a group share its tasks, and each task runs once",
  sanitizeOps: true,
  sanitizeResources: true,
  async fn() {
    await using broker = await Broker.start();
    await using project = await Project.create();
    await using client = await Client.connect(broker.port);
    const start = (id: string) =>
      Worker.start({ project, port: broker.port, id });
    await using one = await start("w1");
    await using two = await start("w2");
    const ids = Array.from({ length: 20 }, (_, i) => `t-${i}`);
    await Promise.all(
      ids.map((id) => client.submit(project.work(id, { seconds: 0.5 }))),
    );
    const finals = await Promise.all(ids.map((id) => client.final(id)));
    assert.ok(finals.every(({ state }) => state === "success"));
    const starts = (await project.truth()).filter(({ what }) =>
      what === "start"
    );
    assert.deepEqual(starts.map(({ id }) => id).toSorted(), ids.toSorted());
    for (const final of finals) {
      const { worker } = starts.find(({ id }) => id === final.task_id)!;
      assert.equal(final.worker_id, worker, "the status names who ran it");
    }
    const shares = ["w1", "w2"].map((id) =>
      finals.filter(({ worker_id }) => worker_id === id).length
    );
    console.log(`20 tasks: ${shares.join(" and ")}`);
    assert.ok(Math.min(...shares) >= 3, String(shares));
    assert.deepEqual(await Promise.all([one.stop(), two.stop()]), [0, 0]);
  },
});

Deno.test({
  name: "workers of two groups take nothing of each other's",
  sanitizeOps: true,
  sanitizeResources: true,
  async fn() {
    await using broker = await Broker.start();
    await using project = await Project.create();
    await using test = await Client.connect(broker.port);
    await using other = await Client.connect(broker.port, { group: "other" });
    await using one = await Worker.start({ project, port: broker.port });
    await using two = await Worker.start({
      project,
      port: broker.port,
      id: "w2",
      worker: { group_name: "other" },
    });
    const [a, b] = await Promise.all([
      test.run(project.work("a")),
      other.run(project.work("b")),
    ]);
    assert.deepEqual([a.worker_id, b.worker_id], ["w1", "w2"]);
    assert.deepEqual([test.history("b"), other.history("a")], [[], []]);
    assert.deepEqual(await Promise.all([one.stop(), two.stop()]), [0, 0]);
  },
});

Deno.test({
  name:
    "two workers with the same group and id under two topic prefixes are two",
  sanitizeOps: true,
  sanitizeResources: true,
  async fn() {
    await using broker = await Broker.start();
    // A project each, as on two hosts.
    await using staging = await Project.create();
    await using production = await Project.create();
    const sides = [["staging", staging], ["production", production]] as const;
    await using stack = new AsyncDisposableStack();
    const groups = [];
    for (const [prefix, project] of sides) {
      const client = stack.use(await Client.connect(broker.port, { prefix }));
      const worker = stack.use(
        await Worker.start({
          project,
          port: broker.port,
          id: "worker-1",
          worker: { topic_prefix: prefix },
        }),
      );
      groups.push({ client, prefix, project, worker });
    }
    const ids = Array.from({ length: 5 }, (_, i) => `t-${i}`);
    await Promise.all(groups.map(async ({ client, prefix, project }) => {
      for (const id of ids) {
        await client.submit(project.work(`${prefix}-${id}`));
      }
      for (const id of ids) {
        const { state } = await client.final(`${prefix}-${id}`);
        assert.equal(state, "success");
      }
    }));
    for (const { client, prefix, project, worker } of groups) {
      const ran = (await project.truth()).filter(({ what }) => what === "start")
        .map(({ id }) => id);
      assert.deepEqual(ran.toSorted(), ids.map((id) => `${prefix}-${id}`));
      assert.deepEqual(client.rejected(), []);
      assert.doesNotMatch(worker.log, /WARN|ERROR|no connection/);
    }
    const codes = await Promise.all(groups.map(({ worker }) => worker.stop()));
    assert.deepEqual(codes, [0, 0]);
  },
});

for (const qos of [0, 1, 2] as const) {
  Deno.test({
    name: `a request that is published at QoS ${qos} runs, once`,
    sanitizeOps: true,
    sanitizeResources: true,
    async fn() {
      await using broker = await Broker.start();
      await using project = await Project.create();
      await using client = await Client.connect(broker.port);
      await using worker = await Worker.start({ project, port: broker.port });
      const ids = Array.from({ length: 10 }, (_, i) => `t-${i}`);
      for (const id of ids) {
        await client.publish(
          "ansible/test/tasks",
          JSON.stringify(project.work(id)),
          { qos },
        );
      }
      await allFinal(client, ids);
      assert.deepEqual(await keptPromises(project, client, ids), {
        success: 10,
      });
      await nothingHeld(client, broker.port, ["w1"]);
      assert.equal(await worker.stop(), 0);
    },
  });
}

Deno.test({
  name: "a worker whose presence says online takes what is published from then",
  sanitizeOps: true,
  sanitizeResources: true,
  async fn() {
    await using broker = await Broker.start();
    await using project = await Project.create();
    await using client = await Client.connect(broker.port);
    // The intake connection is slower to come than the control connection.
    await using gate = new IntakeGate(broker.port);
    await using worker = await Worker.spawn({ project, port: gate.port });
    await until("the intake's CONNECT", () => gate.isWaiting);
    const online = client.message(
      "presence",
      ({ topic, text }) =>
        topic === "ansible/test/workers/w1/status" &&
        JSON.parse(text).state === "online",
    );
    // It may be said now or only when the intake is there; the next task of
    // whoever reads it must not be lost in either case.
    const early = await Promise.race([
      online.then(() => true),
      pause(2).then(() => false),
    ]);
    if (early) await client.submit(project.work("at-once"));
    gate.open();
    await online;
    if (!early) await client.submit(project.work("at-once"));
    assert.equal((await client.final("at-once")).state, "success");
    assert.equal(await worker.stop(), 0);
  },
});

/** A way to the broker on which the intake connection has to wait. */
class IntakeGate implements AsyncDisposable {
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #target: number;
  readonly #open = Promise.withResolvers<void>();
  readonly #connections: Deno.TcpConn[] = [];
  readonly #serving: Promise<void>;
  isWaiting = false;

  constructor(target: number) {
    this.#target = target;
    this.#serving = this.#serve();
  }

  get port(): number {
    return this.#listener.addr.port;
  }

  open(): void {
    this.#open.resolve();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.open();
    this.#listener.close();
    for (const one of this.#connections) {
      try {
        one.close();
      } catch {
        // It is closed.
      }
    }
    await this.#serving;
  }

  async #serve(): Promise<void> {
    const serving: Promise<void>[] = [];
    try {
      for await (const near of this.#listener) serving.push(this.#pass(near));
    } catch {
      // Closed while it was accepting.
    }
    await Promise.all(serving);
  }

  async #pass(near: Deno.TcpConn): Promise<void> {
    const far = await Deno.connect({
      hostname: "127.0.0.1",
      port: this.#target,
    });
    this.#connections.push(near, far);
    const first = new Uint8Array(65_536);
    const read = await near.read(first) ?? 0;
    const connect = new TextDecoder().decode(first.subarray(0, read));
    if (/ansible-worker\/ansible\/test\/w1(?!\/control)/.test(connect)) {
      this.isWaiting = true;
      await this.#open.promise;
    }
    const writer = far.writable.getWriter();
    await writer.write(first.subarray(0, read)).catch(() => {});
    writer.releaseLock();
    await Promise.allSettled([
      near.readable.pipeTo(far.writable),
      far.readable.pipeTo(near.writable),
    ]);
  }
}

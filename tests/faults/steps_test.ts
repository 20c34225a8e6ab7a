import assert from "node:assert/strict";
import type { AdoptionStep } from "../../src/group/adoption.ts";
import type { HandOverStep } from "../../src/group/offering.ts";
import type { AcceptanceStep } from "../../src/tasks/acceptance.ts";
import type { StartStep } from "../../src/tasks/start.ts";
import type { Step } from "../../src/worker/assemble.ts";
import { Broker } from "../harness/broker.ts";
import { Client } from "../harness/client.ts";
import { Project } from "../harness/project.ts";
import { allFinal, keptPromises, nothingHeld } from "../harness/verdict.ts";
import { IMPATIENT, Worker, type WorkerOptions } from "../harness/worker.ts";

/** Starts a worker that stops dead after a step. */
function stepping(step: Step, options: WorkerOptions): Promise<Worker> {
  return Worker.start({
    ...options,
    inner: { ...options.inner, lastStep: step },
  });
}

const brokerOptions = {
  persistence: true,
  extra: ["max_queued_messages 0"],
};

/** How a task ends whose worker is killed after a step, and whether it has run. */
const WAYS: Record<
  AcceptanceStep | StartStep,
  { first: string; ran: boolean }
> = {
  recorded: { first: "success", ran: true },
  queued: { first: "success", ran: true },
  answered: { first: "success", ran: true },
  running: { first: "failed", ran: false },
  started: { first: "failed", ran: true },
  ended: { first: "failed", ran: true },
  published: { first: "success", ran: true },
};

for (const step of Object.keys(WAYS) as (keyof typeof WAYS)[]) {
  const { first, ran } = WAYS[step];
  Deno.test({
    name:
      `killed on a task's way, after "${step}": nothing is lost or run twice`,
    sanitizeOps: true,
    sanitizeResources: true,
    async fn() {
      await using broker = await Broker.start(brokerOptions);
      await using project = await Project.create();
      await using client = await Client.connect(broker.port);
      const ids = ["t-0", "t-1"];
      await using worker = await stepping(step, { project, port: broker.port });
      await client.submit(project.work("t-0", { seconds: 0.3 }));
      await client.submit(project.work("t-1"));
      await worker.logged(`reached ${step}`);
      await worker.kill();
      await project.quiet();
      await using again = await Worker.start({ project, port: broker.port });
      await allFinal(client, ids);
      const count = await keptPromises(project, client, ids);
      assert.deepEqual(
        count,
        first === "success" ? { success: 2 } : { failed: 1, success: 1 },
      );
      const starts = (await project.truth()).filter(({ what, id }) =>
        what === "start" && id === "t-0"
      );
      // A run that was asked for a moment before the kill may not have begun.
      if (step !== "started") assert.equal(starts.length === 1, ran);
      await nothingHeld(client, broker.port, ["w1"]);
      assert.equal(await again.stop(), 0);
    },
  });
}

Deno.test({
  name:
    "a task that was running when its worker was killed ends, though its request was sent again",
  sanitizeOps: true,
  sanitizeResources: true,
  async fn() {
    await using broker = await Broker.start(brokerOptions);
    await using project = await Project.create();
    await using client = await Client.connect(broker.port);
    const request = project.work("t-0", { seconds: 30 });
    await using worker = await Worker.start({ project, port: broker.port });
    await client.submit(request);
    await project.started("t-0");
    await worker.kill();
    await client.submit(request);
    await using again = await Worker.start({ project, port: broker.port });
    await allFinal(client, ["t-0"]);
    assert.deepEqual(await keptPromises(project, client, ["t-0"]), {
      failed: 1,
    });
    await nothingHeld(client, broker.port, ["w1"]);
    assert.equal(await again.stop(), 0);
  },
});

for (const step of ["offered", "taken"] satisfies HandOverStep[]) {
  Deno.test({
    name:
      `killed in handing over, after "${step}": nothing is lost or run twice`,
    sanitizeOps: true,
    sanitizeResources: true,
    async fn() {
      await using broker = await Broker.start(brokerOptions);
      await using project = await Project.create();
      await using client = await Client.connect(broker.port);
      await using worker = await stepping(step, { project, port: broker.port });
      await client.submit(project.work("t-0", { seconds: 600 }));
      await project.started("t-0");
      await client.submit(project.work("t-1"));
      await client.status("t-1", ({ state }) => state === "queued");
      await using peer = await Worker.start({
        project,
        port: broker.port,
        id: "w2",
      });
      await worker.logged(`reached ${step}`);
      await worker.kill();
      await using again = await Worker.start({ project, port: broker.port });
      await allFinal(client, ["t-0", "t-1"]);
      assert.deepEqual(await keptPromises(project, client, ["t-0", "t-1"]), {
        failed: 1,
        success: 1,
      });
      await nothingHeld(client, broker.port, ["w1", "w2"]);
      assert.equal(await again.stop(), 0);
      assert.equal(await peer.stop(), 0);
    },
  });
}

const ADOPTIONS: AdoptionStep[] = [
  "marked",
  "taken_over",
  "connected",
  "moved",
  "closed",
];

// Each of these waits for the turn of the next worker in the ring, so they run
// side by side, each in a group of its own.
Deno.test({
  name:
    "killed in an adoption, after any step: the next one in the ring adopts",
  sanitizeOps: true,
  sanitizeResources: true,
  async fn(t) {
    await using broker = await Broker.start(brokerOptions);
    const steps = ADOPTIONS.map((step) =>
      t.step({
        name: step,
        sanitizeOps: false,
        sanitizeResources: false,
        sanitizeExit: false,
        fn: () => adoption(step, broker),
      })
    );
    const passed = await Promise.all(steps);
    assert.ok(passed.every((one) => one));
  },
});

async function adoption(step: AdoptionStep, broker: Broker): Promise<void> {
  await using project = await Project.create();
  const group = step;
  await using client = await Client.connect(broker.port, { group });
  const options = (id: string) => ({
    project,
    port: broker.port,
    id,
    worker: { group_name: group },
  });
  const impatient = (id: string) => ({ ...options(id), inner: IMPATIENT });
  const ids = ["t-0", "t-1", "t-2", "t-3"];
  await using dead = await Worker.start(options("w1"));
  await client.submit(project.work("t-0", { seconds: 600 }));
  await project.started("t-0");
  for (const id of ["t-1", "t-2"]) await client.submit(project.work(id));
  await client.status("t-2", ({ state }) => state === "queued");
  await dead.kill();
  await project.quiet();
  // Only the session of the dead one is subscribed, so that is where it waits.
  await client.submit(project.work("t-3"));
  await using adopter = await stepping(step, impatient("w2"));
  await using next = await Worker.start(impatient("w3"));
  // What the broker says of the dead one 30 s later; by then both are there.
  const topic = `ansible/${group}/workers/w1/status`;
  const presence = JSON.parse((await client.retained(broker.port, topic))!);
  await client.publish(
    topic,
    JSON.stringify({ ...presence, state: "offline" }),
    {
      retain: true,
    },
  );
  await adopter.logged(`reached ${step}`);
  await adopter.kill();
  await next.logged("worker w1 is adopted");
  await allFinal(client, ids);
  await keptPromises(project, client, ids);
  for (const id of ids) {
    const final = await client.final(id);
    // The adopter may itself have begun to run one, and was killed with it.
    const failed = id === "t-0" || final.worker_id === "w2";
    if (final.state !== "success") assert.ok(failed, JSON.stringify(final));
  }
  assert.equal((await client.final("t-0")).state, "failed");
  await nothingHeld(client, broker.port, ["w3"]);
  assert.equal(await next.stop(), 0);
}

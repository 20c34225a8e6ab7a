/**
 * Requests that pile up while the only worker is down.
 *
 * @module
 */
import assert from "node:assert/strict";
import { Broker } from "../harness/broker.ts";
import { Client } from "../harness/client.ts";
import { Project } from "../harness/project.ts";
import { allFinal, keptPromises, nothingHeld } from "../harness/verdict.ts";
import { Worker } from "../harness/worker.ts";

/** What was measured; times in seconds, memory in MB. */
export interface Backlog {
  /** From the worker's start to the last final status. */
  seconds: number;
  /** The worker's memory at first, and at most. */
  before: number;
  most: number;
  /** From a cancel to its final status. */
  obeyed: number;
}

/** Lets so many requests pile up, and the worker come back. */
export async function backlogRun(tasks: number): Promise<Backlog> {
  await using broker = await Broker.start({
    persistence: true,
    extra: ["max_queued_messages 0"],
  });
  await using project = await Project.create({
    // Nothing but the truth: as little as a playbook can be.
    hosts: "h1 ansible_connection=local\n",
  });
  await using client = await Client.connect(broker.port);
  const options = {
    project,
    port: broker.port,
    worker: { when_full: "wait", max_concurrent_tasks: 3 },
    config: { log_level: "INFO" },
  };
  {
    await using first = await Worker.start(options);
    await first.kill();
  }
  const ids = Array.from({ length: tasks }, (_, i) => `t-${i}`);
  await Promise.all(ids.map((id) => client.submit(project.work(id))));
  const since = performance.now();
  await using worker = await Worker.start(options);
  const before = await worker.memory();
  // A cancel does not wait behind the backlog: of one that waits here, while
  // almost all of the others are still with the broker.
  await project.started("t-0");
  const waiting = "t-90";
  await client.status(waiting, ({ state }) => state === "queued");
  const asked = performance.now();
  await client.cancel(waiting, "in the middle");
  const cancelled = await client.final(waiting);
  const obeyed = performance.now() - asked;
  assert.equal(cancelled.state, "cancelled");
  // Those before it, and those that ended in the meantime.
  const ended =
    client.messages.filter(({ text }) => text.includes('"state":"success"'))
      .length;
  assert.ok(ended < 60, `${ended} tasks ended before the cancel was obeyed`);
  let most = before;
  const watch = setInterval(async () => {
    most = Math.max(most, await worker.memory().catch(() => 0));
  }, 200);
  await allFinal(client, ids);
  clearInterval(watch);
  const seconds = (performance.now() - since) / 1000;
  const count = await keptPromises(project, client, ids);
  await nothingHeld(client, broker.port, ["w1"]);
  assert.equal(await worker.stop(), 0);
  assert.deepEqual(count, { success: tasks - 1, cancelled: 1 });
  return { seconds, before, most, obeyed: obeyed / 1000 };
}

/**
 * Power cuts: a worker with a journal and its broker are killed at one moment, and
 * the broker has forgotten minutes.
 *
 * @module
 */
import assert from "node:assert/strict";
import { Broker } from "../harness/broker.ts";
import { Client } from "../harness/client.ts";
import { Project } from "../harness/project.ts";
import { allFinal, keptPromises, nothingHeld } from "../harness/verdict.ts";
import { Worker } from "../harness/worker.ts";

const STOPPED = "the worker stopped while this task was running";

/** What is kept of a session when it is killed is what was saved last. */
const FORGETFUL = {
  persistence: true,
  autosave: 1800,
  extra: ["max_queued_messages 0"],
};

/**
 * So many of them, one after the other, each with tasks that wait, run, and have
 * ended since the broker saved: none runs twice, and every end is true.
 */
export async function powerCuts(rounds: number): Promise<void> {
  await using broker = await Broker.start(FORGETFUL);
  await using project = await Project.create();
  const options = {
    project,
    port: broker.port,
    worker: { max_concurrent_tasks: 2, journal: project.path("journal") },
  };
  const all: string[] = [];
  await using stack = new AsyncDisposableStack();
  let worker = stack.use(await Worker.start(options));
  for (let round = 0; round < rounds; round++) {
    const id = (name: string) => `${name}-${round}`;
    /** How each has to end; none has before the broker saves. */
    const ends: Record<string, string> = {
      [id("runs-before")]: "failed",
      [id("ends-after")]: "success",
      [id("starts-and-ends-after")]: "success",
      [id("starts-after")]: "failed",
      [id("waits")]: "success",
      [id("waits-too")]: "success",
    };
    all.push(...Object.keys(ends));
    {
      await using client = await Client.connect(broker.port);
      const submit = (
        name: string,
        how: { seconds?: number; held?: boolean },
      ) => client.submit(project.work(id(name), how));
      await submit("runs-before", { seconds: 600 });
      await project.started(id("runs-before"));
      await submit("ends-after", { held: true });
      await project.started(id("ends-after"));
      await submit("starts-and-ends-after", { seconds: 0.1 });
      await submit("starts-after", { seconds: 600 });
      await submit("waits", {});
      await submit("waits-too", {});
      await client.status(id("waits-too"), ({ state }) => state === "queued");
      await broker.save();
      assert.deepEqual(
        (await project.truth()).filter(({ what, id }) =>
          what === "end" && id in ends
        ),
        [],
        "the broker has saved before anything ended",
      );
      await project.release(id("ends-after"));
      await client.final(id("starts-and-ends-after"));
      await project.started(id("starts-after"));
      // Neither of them hears of the other's end.
      await Promise.all([worker.kill(), broker.kill()]);
    }
    await project.quiet();
    await broker.start();
    await using client = await Client.connect(broker.port);
    worker = stack.use(await Worker.start(options));
    await allFinal(client, Object.keys(ends));
    await keptPromises(project, client, Object.keys(ends));
    for (const [task, state] of Object.entries(ends)) {
      const final = await client.final(task);
      assert.equal(final.state, state, task);
      const error = state === "failed" ? STOPPED : null;
      assert.equal(final.error_message, error, task);
    }
  }
  await using client = await Client.connect(broker.port);
  await allFinal(client, all);
  await keptPromises(project, client, all);
  await nothingHeld(client, broker.port, ["w1"]);
  assert.equal(await worker.stop(), 0);
}

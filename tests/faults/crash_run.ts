/**
 * A broker that crashes again and again while a group works, and forgets its
 * latest second each time.
 *
 * @module
 */
import assert from "node:assert/strict";
import { nothingHeld } from "../harness/verdict.ts";
import { pause, until } from "../harness/waiting.ts";
import { group, many } from "./group.ts";

/** How many are submitted between two crashes. */
const BATCH = 10;

/**
 * Lets it crash so often, with ten tasks each time. Every task runs once, and the
 * broker keeps the final status of each.
 *
 * @returns how long that took after the last restart, in seconds
 */
export async function crashRun(crashes: number): Promise<number> {
  await using g = await group();
  const { broker, client, project } = g;
  const options = { worker: { max_concurrent_tasks: 2 } };
  const workers = [await g.start("w1", options), await g.start("w2", options)];
  const ids: string[] = [];
  for (let crash = 1; crash <= crashes; crash++) {
    const batch = many(BATCH).map((id) => `${id}-${crash}`);
    ids.push(...batch);
    for (const id of batch) {
      await client.submit(project.work(id, { seconds: 0.2 }));
    }
    // What nobody has accepted is the broker's, which may forget it.
    await Promise.all(batch.map((id) => client.status(id, () => true)));
    // At another moment of their runs each time.
    await project.started(batch[crash % BATCH]!);
    await pause(0.3 * ((crash - 1) % 4));
    await broker.kill();
    await pause(0.5);
    await broker.start();
    await Promise.all(
      workers.map((worker) =>
        worker.logged("connected to the broker", 2 + 2 * crash)
      ),
    );
  }
  const since = performance.now();
  let late: string[] = [];
  await until(() => `final statuses of ${late}`, async () => {
    const statuses = await client.allRetained(
      broker.port,
      "ansible/test/tasks/+/status",
    );
    late = ids.filter((id) =>
      !statuses.get(`ansible/test/tasks/${id}/status`)?.includes(
        '"state":"success"',
      )
    );
    return late.length === 0;
  });
  const seconds = (performance.now() - since) / 1000;
  const starts = (await project.truth()).filter(({ what }) => what === "start")
    .map(({ id }) => id);
  assert.deepEqual(starts.toSorted(), ids.toSorted(), "each has run once");
  await nothingHeld(client, broker.port, ["w1", "w2"]);
  return seconds;
}

/**
 * Tasks with locks amid kills, cuts and adoptions: whether two with one lock have
 * met, by what their playbooks write.
 *
 * @module
 */
import assert from "node:assert/strict";
import { Ticking } from "../harness/overlaps.ts";
import { Proxy } from "../harness/proxy.ts";
import { pause } from "../harness/waiting.ts";
import type { Inner } from "../harness/inner_worker.ts";
import { group, many } from "./group.ts";

/** Long enough for a run to end in time on a busy machine. */
const TIMING: Inner = {
  timing: { willDelaySeconds: 4, returnMs: 4000, turnMs: 10_000 },
};

/**
 * Runs so many tasks over 5 locks in 3 workers with 2 slots each: one is killed
 * and comes back, one is cut off until it is adopted, one is killed for good.
 *
 * @returns one line about what happened
 */
export async function lockedRun(
  { tasks }: { tasks: number },
): Promise<string> {
  await using g = await group();
  const { broker, client, project } = g;
  const ticking = await Ticking.in(project);
  await using proxy = Proxy.to(broker.port);
  const options = { worker: { max_concurrent_tasks: 2 }, inner: TIMING };
  const start = (id: string, port = broker.port) =>
    g.start(id, { ...options, port, mqtt: { keepalive: 5 } });
  const one = await start("w1");
  const two = await start("w2", proxy.port);
  const three = await start("w3");
  const lockOf = (id: string) => `lock-${Number(id.slice(2)) % 5}`;
  const ids = many(tasks);
  const since = performance.now();
  for (const id of ids) {
    await client.submit(
      ticking.request(id, { seconds: 0.8, lock: lockOf(id) }),
    );
  }
  const running = (worker: string) =>
    client.message(
      `a run of ${worker}`,
      ({ topic, text, retained }) =>
        topic.endsWith("/status") && !retained &&
        text.includes('"state":"running"') &&
        text.includes(`"worker_id":"${worker}"`),
    );
  await running("w3");
  await three.kill();
  await running("w2");
  proxy.cut();
  await pause(3);
  await start("w3");
  // Longer than the group waits.
  await pause(9);
  proxy.heal();
  await one.kill();
  const finals = await Promise.all(ids.map((id) => client.final(id, 240)));
  const took = (performance.now() - since) / 1000;
  await project.quiet();
  assert.deepEqual(await ticking.overlaps(lockOf), []);
  const states = new Map<string, number>();
  for (const { state, error_message } of finals) {
    const how = state === "success"
      ? state
      : `${state} (${error_message?.split(",")[0]})`;
    states.set(how, (states.get(how) ?? 0) + 1);
  }
  const good = states.get("success") ?? 0;
  // Only what ran where something went wrong has failed.
  assert.ok(good >= tasks - 6, JSON.stringify([...states]));
  assert.equal(await two.stop(), 0);
  return `${tasks} tasks over 5 locks, all final in ${took.toFixed(0)} s: ${
    [...states].map(([how, count]) => `${count} ${how}`).join("; ")
  }`;
}

/**
 * What is asked for of everyone, and by a schedule, in full size: groups in which
 * one worker is away, or killed.
 *
 * @module
 */
import assert from "node:assert/strict";
import { PATIENCE, pause, until } from "../harness/waiting.ts";
import { IMPATIENT } from "../harness/worker.ts";
import { group } from "./group.ts";

/**
 * A request for everyone, while one of the workers is away.
 *
 * @returns one line about what happened
 */
export async function everyoneRun(
  { workers, awaySeconds }: { workers: number; awaySeconds: number },
): Promise<string> {
  await using g = await group();
  const { client, project } = g;
  const ids = Array.from({ length: workers }, (_, i) => `w${i + 1}`);
  const [first] = await Promise.all(ids.map((id) => g.start(id)));
  await first!.kill();
  await client.publish(
    "ansible/test/everyone/tasks",
    JSON.stringify(project.work("all")),
    { qos: 2 },
  );
  await pause(awaySeconds);
  assert.deepEqual(client.history("all@w1"), []);
  await g.start("w1");
  for (const id of ids) {
    const { state, worker_id } = await client.final(`all@${id}`);
    assert.deepEqual([state, worker_id], ["success", id]);
  }
  const starts = (await project.truth()).filter(({ what }) => what === "start");
  assert.deepEqual(starts.map(({ worker }) => worker).sort(), ids);
  return `${workers} workers, one away for ${awaySeconds} s: ${workers} results`;
}

/**
 * A schedule of every other second in three workers, one of which is killed for
 * good.
 *
 * @returns one line about what happened
 */
export async function scheduledRun(
  { times }: { times: number },
): Promise<string> {
  await using g = await group();
  const { client, project } = g;
  const templates = {
    often: {
      playbook: "work.yml",
      inventory: "hosts",
      extra_vars: { id: "often", truth: project.truthFile, seconds: 0 },
      schedule: { cron: "*/2 * * * * *" },
    },
  };
  const [one, ...others] = await Promise.all(
    ["w1", "w2", "w3"].map((id) =>
      g.start(id, {
        config: { templates },
        // What runs when they stop is to end by itself.
        worker: { shutdown_grace: PATIENCE },
        inner: IMPATIENT,
      })
    ),
  );
  /** The statuses of the times that have ended. */
  const ended = () =>
    client.messages.filter(({ topic, retained }) =>
      !retained && /\/tasks\/often:[^/]*\/status$/.test(topic)
    ).map(({ text }) => JSON.parse(text))
      .filter(({ completed_at }) => completed_at !== null);
  await until("half of them", () => ended().length >= times / 2);
  await one!.kill();
  await until("the last of them", () => ended().length >= times + 10, 300);
  const codes = await Promise.all(others.map((worker) => worker.stop()));
  assert.deepEqual(codes, [0, 0]);
  const starts = (await project.truth()).filter(({ what }) => what === "start");
  const begun = () => ended().filter(({ started_at }) => started_at !== null);
  await until(
    () => `${starts.length} starts to be told, not ${begun().length}`,
    () => begun().length >= starts.length,
  );
  const statuses = ended();
  const ids = statuses.map(({ task_id }) => task_id).sort().slice(0, times);
  assert.equal(new Set(ids).size, times, "each time has one end");
  const moments = ids.map((id) => Date.parse(id.slice("often:".length)));
  assert.deepEqual(
    moments.map((moment) => moment - moments[0]!),
    moments.map((_, i) => i * 2000),
    "no time is missing",
  );
  const good = statuses.filter(({ state }) => state === "success").length;
  // Only what the one that was killed had begun.
  assert.ok(statuses.length - good <= 1, JSON.stringify(statuses));
  // The one that was killed may have said so of a run, and not begun it.
  assert.ok(
    [0, statuses.length - good].includes(begun().length - starts.length),
    `${starts.length} starts, ${begun().length} told`,
  );
  assert.deepEqual(client.rejected(), []);
  return `a schedule of every other second, one of three workers killed: ${times} times, each once`;
}

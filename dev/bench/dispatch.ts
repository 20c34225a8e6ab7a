/**
 * From publishing a request to its `running` status, on an idle worker: the
 * next one is published when the launcher has had time to get ready again. Every
 * other one has a lock.
 *
 * @module
 */
import { pause } from "../../tests/harness/waiting.ts";
import { type Figure, quantile } from "./figures.ts";
import { Scene } from "./scene.ts";

const TASKS = 100;

/** Between a task and the next, in seconds. */
const PAUSE = 0.15;

/** 100 tasks without a lock and 100 with one, one after the other. */
export async function dispatch(): Promise<Figure[]> {
  await using scene = await Scene.create();
  await scene.worker();
  const { client } = scene;
  const times: number[] = [];
  const locked: number[] = [];
  for (let i = -10; i < 2 * TASKS; i++) {
    const lock = i % 2 === 0 ? undefined : "bench";
    const request = { ...scene.request("none.yml"), lock };
    const topic = `${client.base}/tasks/${request.task_id}/status`;
    const since = performance.now();
    await client.submit(request);
    const { at } = await client.message(
      "running",
      (message) =>
        message.topic === topic && message.text.includes('"running"'),
    );
    await client.final(request.task_id);
    if (i >= 0) (lock === undefined ? times : locked).push(at - since);
    await pause(PAUSE);
  }
  return [
    { what: "dispatch: to `running`", values: times, unit: "ms" },
    {
      what: "dispatch: the same, 99 of 100",
      values: [quantile(times, 0.99)],
      unit: "ms",
      aim: { max: 15 },
    },
    { what: "dispatch: with a lock", values: locked, unit: "ms" },
  ];
}

/**
 * A growing group on one broker: what it gets done, and how many messages that
 * takes.
 *
 * @module
 */
import type { Figure } from "./figures.ts";
import { Scene } from "./scene.ts";

/** How long each worker is kept busy, in tasks of a second. */
const TASKS_PER_WORKER = 30;

/** 1, 2, 4 and 8 workers, with tasks of 1 s that only sleep. */
export async function group(): Promise<Figure[]> {
  const figures: Figure[] = [];
  let perTaskOfOne = NaN;
  for (const workers of [1, 2, 4, 8]) {
    await using scene = await Scene.create({
      "sleep.yml": `
- hosts: all
  gather_facts: false
  tasks:
    - debug: { msg: "{{ lookup('pipe', 'sleep 1') }}" }
`,
    });
    const { client } = scene;
    await Promise.all(
      Array.from(
        { length: workers },
        (_, i) => scene.worker({ id: `w${i + 1}` }),
      ),
    );
    const before = await received(scene);
    const since = performance.now();
    const tasks = workers * TASKS_PER_WORKER;
    const finals = await Promise.all(
      Array.from({ length: tasks }, async () => {
        const request = scene.request("sleep.yml");
        await client.submit(request);
        return await client.final(request.task_id, 600);
      }),
    );
    const seconds = (performance.now() - since) / 1000;
    if (finals.some(({ state }) => state !== "success")) {
      throw new Error("a task has failed");
    }
    const messages = (await received(scene) - before) / tasks;
    if (workers === 1) perTaskOfOne = messages;
    figures.push({
      what: `group of ${workers}: done`,
      values: [tasks / seconds],
      unit: "tasks/s",
      against: { what: "the ideal", ratios: [tasks / seconds / workers] },
      aim: { least: 0.95 },
    }, {
      what: `group of ${workers}: messages to the broker`,
      values: [messages],
      unit: "per task",
      ...(workers > 1 && {
        against: { what: "a group of 1", ratios: [messages / perTaskOfOne] },
      }),
    });
  }
  return figures;
}

/** The PUBLISH packets that the broker has received so far. */
async function received({ client, broker }: Scene): Promise<number> {
  // The broker counts once a second.
  await new Promise((resolve) => setTimeout(resolve, 2500));
  const text = await client.retained(
    broker.port,
    "$SYS/broker/publish/messages/received",
  );
  return Number(text);
}

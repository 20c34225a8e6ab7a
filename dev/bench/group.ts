/**
 * A growing group on one broker: what it gets done, and how many messages
 * and packets that takes.
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
  let ofOne = { done: NaN, messages: NaN, packets: NaN };
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
    let published = 0;
    // It is told of everything below the group's topics.
    const forget = client.listen(() => published++);
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
    const done = tasks / seconds;
    forget();
    const messages = published / tasks;
    const packets = (await received(scene) - before) / tasks;
    if (workers === 1) ofOne = { done, messages, packets };
    const what = `group of ${workers}`;
    figures.push({
      what: `${what}: done`,
      values: [done],
      unit: "tasks/s",
      against: { what: "a task a second", ratios: [done / workers] },
      aim: { least: 0.95 },
    });
    if (workers > 1) {
      figures.push({
        what: `${what}: done`,
        values: [done],
        unit: "tasks/s",
        against: {
          what: "groups of 1",
          ratios: [done / workers / ofOne.done],
        },
        aim: { least: 0.95 },
      });
    }
    figures.push(
      ...([["messages", messages, ofOne.messages], [
        "packets to the broker",
        packets,
        ofOne.packets,
      ]] as const).map(([name, value, one]): Figure => ({
        what: `${what}: ${name}`,
        values: [value],
        unit: "per task",
        ...(workers > 1 && {
          against: { what: "a group of 1", ratios: [value / one] },
        }),
      })),
    );
  }
  return figures;
}

/**
 * The packets that the broker has received so far, acknowledgements and the
 * controller's among them. Messages alone are counted by some releases only.
 */
async function received({ client, broker }: Scene): Promise<number> {
  // The broker counts once a second.
  await new Promise((resolve) => setTimeout(resolve, 2500));
  const topic = "$SYS/broker/messages/received";
  const count = Number(await client.retained(broker.port, topic));
  if (!(count > 0)) throw new Error(`the broker does not tell ${topic}`);
  return count;
}

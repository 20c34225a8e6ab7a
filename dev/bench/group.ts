/**
 * A growing group on one broker: what it gets done, and how many messages
 * and packets that takes.
 *
 * @module
 */
import { pause } from "../../tests/harness/waiting.ts";
import type { Figure } from "./figures.ts";
import { Scene } from "./scene.ts";

/** How long each worker is kept busy, in tasks of a second. */
const TASKS_PER_WORKER = 30;

/** 1, 2, 4 and 8 workers, with tasks of 1 s that only sleep. */
export async function group(): Promise<Figure[]> {
  const figures: Figure[] = [];
  let one: { done: number; messages: number; packets: number } | undefined;
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
    const what = `group of ${workers}`;
    const rate = { what: `${what}: done`, values: [done], unit: "tasks/s" };
    const aim = { min: 0.95 };
    figures.push({
      ...rate,
      against: { what: "a task a second", ratios: [done / workers] },
      aim,
    });
    if (one) {
      const ratios = [done / workers / one.done];
      figures.push({ ...rate, against: { what: "groups of 1", ratios }, aim });
    }
    figures.push(
      perTask(`${what}: messages`, messages, one?.messages),
      perTask(`${what}: packets to the broker`, packets, one?.packets),
    );
    one ??= { done, messages, packets };
  }
  return figures;
}

/** A figure, against the same of a group of 1 if there has been one. */
function perTask(what: string, value: number, one: number | undefined): Figure {
  const figure = { what, values: [value], unit: "per task" };
  if (one === undefined) return figure;
  return {
    ...figure,
    against: { what: "a group of 1", ratios: [value / one] },
  };
}

/**
 * The packets that the broker has received so far, acknowledgements and the
 * controller's among them. Messages alone are counted by some releases only.
 */
async function received({ client, broker }: Scene): Promise<number> {
  // The broker counts once a second.
  await pause(2.5);
  const topic = "$SYS/broker/messages/received";
  const count = Number(await client.retained(broker.port, topic));
  if (!(count > 0)) throw new Error(`the broker does not tell ${topic}`);
  return count;
}

/**
 * A growing group on one broker: what it gets done, and how many messages and
 * packets that takes; saturated, and half idle.
 *
 * All workers share the cores of this machine, so a task is long, and does
 * nothing: 16 workers need less than half of two cores.
 *
 * @module
 */
import { pause } from "../../tests/harness/waiting.ts";
import type { Figure } from "./figures.ts";
import { Scene } from "./scene.ts";

/** How many workers there are, with one slot each. */
const SIZES = [1, 4, 16];

/** How long a task takes, in seconds. */
const SECONDS = 3;

/**
 * How many there are for each worker, and how many at least. Of a saturated group
 * the end must not count for much, where those that are idle already are given
 * what waits at others.
 */
const TASKS_EACH = { saturated: 12, "half idle": 5 };
const MIN_TASKS = 10;

/** Within which time two workers do not both start, in seconds. */
const BETWEEN_STARTS = 0.2;

/** The most packets for a task in the largest group, against a group of one. */
const MAX_RATIO = 1.25;

/** What a group has taken for some tasks. */
interface Cost {
  /** Tasks a second. */
  done: number;
  /** From publishing a request to its start, in ms. */
  waited: number[];
  messages: number;
  packets: number;
}

/** 1, 4 and 16 workers. */
export async function group(): Promise<Figure[]> {
  const figures: Figure[] = [];
  const ones = new Map<string, Cost>();
  for (const size of SIZES) {
    await using scene = await Scene.create({
      "sleep.yml": `
- hosts: all
  gather_facts: false
  tasks:
    - debug: { msg: "{{ lookup('pipe', 'sleep ${SECONDS}') }}" }
`,
    });
    for (let i = 1; i <= size; i++) {
      await scene.worker({ id: `w${i}` });
      await pause(BETWEEN_STARTS);
    }
    for (const load of ["saturated", "half idle"] as const) {
      const cost = await measure(scene, { size, load });
      const one = ones.get(load);
      figures.push(...figuresOf(`group of ${size}, ${load}`, {
        cost,
        isLargest: size === SIZES.at(-1),
        one,
        ideal: load === "saturated" ? size / SECONDS : null,
      }));
      if (!one) ones.set(load, cost);
    }
  }
  return figures;
}

/** Runs tasks: all at once, or as many as keep half of the group busy. */
async function measure(
  scene: Scene,
  { size, load }: { size: number; load: "saturated" | "half idle" },
): Promise<Cost> {
  const { client } = scene;
  const tasks = Math.max(MIN_TASKS, TASKS_EACH[load] * size);
  const before = await received(scene);
  let published = 0;
  // It is told of everything below the group's topics.
  const forget = client.listen(() => published++);
  const since = performance.now();
  const waited: number[] = [];
  const moments = load === "saturated"
    ? new Array<number>(tasks).fill(0)
    : arrivals(tasks, 2 * SECONDS / size);
  await Promise.all(
    moments.map(async (moment) => {
      await pause(moment);
      const request = scene.request("sleep.yml");
      const topic = `${client.base}/tasks/${request.task_id}/status`;
      const asked = performance.now();
      await client.submit(request);
      const { at } = await client.message(
        "running",
        (message) =>
          message.topic === topic && message.text.includes('"running"'),
        600,
      );
      waited.push(at - asked);
      const { state } = await client.final(request.task_id, 600);
      if (state !== "success") throw new Error(`a task is ${state}`);
    }),
  );
  const seconds = (performance.now() - since) / 1000;
  forget();
  return {
    done: tasks / seconds,
    waited,
    messages: published / tasks,
    packets: (await received(scene) - before) / tasks,
  };
}

/**
 * When tasks come from strangers, who do not know of each other: close together
 * and far apart, and the same each time.
 *
 * @param gap between two of them on average, in seconds
 */
function arrivals(tasks: number, gap: number): number[] {
  let at = 0;
  return Array.from({ length: tasks }, (_, i) => {
    // Parts of the golden ratio are spread evenly over 0 to 1.
    const share = (i + 1) * 0.618034 % 1;
    return at += -Math.log(1 - share) * gap;
  });
}

function figuresOf(
  what: string,
  { cost, one, ideal, isLargest }: {
    cost: Cost;
    one: Cost | undefined;
    ideal: number | null;
    isLargest: boolean;
  },
): Figure[] {
  const perTask = (name: string, of: "messages" | "packets"): Figure => ({
    what: `${what}: ${name}`,
    values: [cost[of]],
    unit: "per task",
    ...(one && {
      against: { what: "a group of 1", ratios: [cost[of] / one[of]] },
      ...(of === "packets" && isLargest && { aim: { max: MAX_RATIO } }),
    }),
  });
  return [
    ideal === null
      ? { what: `${what}: to \`running\``, values: cost.waited, unit: "ms" }
      : {
        what: `${what}: done`,
        values: [cost.done],
        unit: "tasks/s",
        against: {
          what: `a task in ${SECONDS} s`,
          ratios: [cost.done / ideal],
        },
      },
    perTask("messages", "messages"),
    perTask("packets to the broker", "packets"),
  ];
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

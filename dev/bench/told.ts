/**
 * What it costs to publish events and output, by a run whose results come as
 * fast as Ansible can make them.
 *
 * On a machine that has other things to do the times spread; the processor time
 * of all processes of a run, the worker among them, spreads less.
 *
 * @module
 */
import { localHosts } from "../../tests/harness/project.ts";
import type { Worker } from "../../tests/harness/worker.ts";
import { type Figure, ratios } from "./figures.ts";
import { processorTime } from "./processor_time.ts";
import { playbook, Scene } from "./scene.ts";

const ROUNDS = 4;
const HOSTS = 50;
const TASKS = 20;

interface Way {
  what: string;
  /** Runs the playbook; in seconds. */
  run(): Promise<number>;
  /** Processor time that it has taken so far, in seconds. */
  processor(): Promise<number>;
  times: number[];
  processors: number[];
}

/** A wide run by hand, and through a worker that tells more and more of it. */
export async function told(): Promise<Figure[]> {
  await using scene = await Scene.create({
    wide: localHosts(...Array.from({ length: HOSTS }, (_, i) => `h${i}`)),
    "wide.yml": playbook(TASKS),
  });
  const worker = await scene.worker({ worker: { status_interval: 1 } });
  let settings = "";
  const through = (what: string, tell: Record<string, boolean>): Way => ({
    what,
    async run() {
      if (settings !== JSON.stringify(tell)) {
        settings = JSON.stringify(tell);
        await change(scene, worker, tell);
      }
      return await byMessage(scene, tell);
    },
    processor: () => processorOf(worker),
    times: [],
    processors: [],
  });
  const hand: Way = {
    what: "by hand",
    run: () =>
      scene.byHand("ansible-playbook", ["--inventory=wide", "--", "wide.yml"]),
    // Of what has ended: no worker has.
    processor: async () => (await processorTime("self")).ended,
    times: [],
    processors: [],
  };
  const plain = through("by message", {});
  const reporting = [
    through("with events", { publish_events: true }),
    through("with both", { publish_events: true, publish_output: true }),
  ];
  const ways = [hand, plain, ...reporting];
  // One round first, which is not counted. Each begins with another way, so
  // that none is always the one after the same other.
  for (let round = -1; round < ROUNDS; round++) {
    for (let i = 0; i < ways.length; i++) {
      const way = ways[(i + round + 1) % ways.length]!;
      const before = await way.processor();
      const time = await way.run();
      // Until then its processor time is nobody's.
      await scene.project.quiet();
      if (round < 0) continue;
      way.times.push(time);
      way.processors.push(await way.processor() - before);
    }
  }
  const against = (other: Way, values: (way: Way) => number[]) => (way: Way) =>
    way === other ? {} : {
      against: {
        what: other.what,
        ratios: ratios(values(way), values(other)),
      },
    };
  const figure = (way: Way): Figure => ({
    what: `told: ${HOSTS} hosts × ${TASKS} play tasks, ${way.what}`,
    values: way.times,
    unit: "s",
    ...against(hand, ({ times }) => times)(way),
  });
  return [
    figure(hand),
    { ...figure(plain), aim: { max: 1.03 } },
    ...reporting.map((way) => ({ ...figure(way), aim: { max: 1.05 } })),
    ...reporting.map((way): Figure => ({
      ...figure(way),
      ...against(plain, ({ times }) => times)(way),
      aim: { max: 1.05 },
    })),
    ...ways.map((way): Figure => ({
      what: `told: the same, ${way.what}, processor`,
      values: way.processors,
      unit: "s",
      ...against(plain, ({ processors }) => processors)(way),
    })),
  ];
}

/** Gives the worker other settings, as an operator does. */
async function change(
  { project }: Scene,
  worker: Worker,
  tell: Record<string, boolean>,
): Promise<void> {
  const file = project.path(`${worker.id}.yaml`);
  const config = JSON.parse(await Deno.readTextFile(file));
  const { publish_events = false, publish_output = false } = tell;
  Object.assign(config.worker, { publish_events, publish_output });
  await Deno.writeTextFile(file, JSON.stringify(config));
  const text = "the configuration was read again";
  const times = worker.log.split(text).length;
  worker.signal("SIGHUP");
  await worker.logged(text, times);
}

/** Runs it through the worker, and counts what was told. */
async function byMessage(
  scene: Scene,
  { publish_events = false }: Record<string, boolean>,
): Promise<number> {
  const request = scene.request("wide.yml", { inventory: "wide" });
  const time = await scene.byMessage(request);
  const topic = `${scene.client.base}/tasks/${request.task_id}/events`;
  const events = scene.client.messages.filter((one) => one.topic === topic);
  const expected = publish_events ? (HOSTS + 1) * TASKS : 0;
  if (events.length !== expected) {
    throw new Error(`${events.length} events came, not ${expected}`);
  }
  scene.client.messages.length = 0;
  return time;
}

/** Processor time of a worker, its launcher and all their runs, in seconds. */
async function processorOf({ pid }: Worker): Promise<number> {
  const children = (await Deno.readTextFile(
    `/proc/${pid}/task/${pid}/children`,
  )).trim().split(" ").filter((child) => child !== "");
  const parts = await Promise.all([pid, ...children].map(processorTime));
  return parts.reduce((sum, { own, ended }) => sum + own + ended, 0);
}

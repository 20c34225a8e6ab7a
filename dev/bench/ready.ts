/**
 * What is felt at the start: from the command to a worker that is ready for
 * tasks, to a task that a worker has, and to a help. By turns.
 *
 * Cold is what comes first after an installation: the packages are there, and
 * nothing is compiled.
 *
 * @module
 */
import { clientArguments } from "../programs.ts";
import { denoDirectory, Worker } from "../../tests/harness/worker.ts";
import type { Figure } from "./figures.ts";
import { Scene } from "./scene.ts";

/** How often each is done warm. */
const TURNS = 15;

/** How often a worker is started cold. */
const COLD = 5;

/** Starts of a worker, submissions and helps. */
export async function ready(): Promise<Figure[]> {
  await using scene = await Scene.create();
  await scene.worker();
  const directory = await Deno.makeTempDir();
  const cold: number[] = [];
  const warm: number[] = [];
  const submitted: number[] = [];
  const helped: number[] = [];
  try {
    // One of each first, which is not counted.
    for (let turn = -1; turn < TURNS; turn++) {
      const times = [
        await startOfWorker(scene, await denoDirectory()),
        await submission(scene, `ready-${turn + 1}`),
        await help(scene),
      ] as const;
      if (turn < 0) continue;
      warm.push(times[0]);
      submitted.push(times[1]);
      helped.push(times[2]);
      if (turn >= COLD) continue;
      await Deno.remove(directory, { recursive: true });
      await Deno.mkdir(directory);
      await Deno.symlink(`${await denoDirectory()}/npm`, `${directory}/npm`);
      cold.push(await startOfWorker(scene, directory));
    }
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
  const figure = (what: string, values: number[]) => ({
    what: `ready: ${what}`,
    values,
    unit: "ms",
  });
  return [
    figure("a worker, cold", cold),
    figure("a worker", warm),
    figure("`submit`, to `queued`", submitted),
    figure("`--help`", helped),
  ];
}

/** From the command to "ready for tasks", in a group of its own; in ms. */
async function startOfWorker(
  { broker, project }: Scene,
  directory: string,
): Promise<number> {
  const since = performance.now();
  await using worker = await Worker.start({
    project,
    port: broker.port,
    id: "started",
    worker: { group_name: "started" },
    config: { log_level: "INFO" },
    env: { DENO_DIR: directory },
  });
  const taken = performance.now() - since;
  // After one that was killed the next would ask for two seconds whether it
  // lives.
  await worker.stop();
  return taken;
}

/** From the command to the status of its task; in ms. */
async function submission(scene: Scene, taskId: string): Promise<number> {
  const { client, project } = scene;
  const since = performance.now();
  const done = run(scene, [
    ...["submit", "none.yml", "--inventory", "hosts", "--id", taskId],
    ...["--detach", "--config", project.path("w1.yaml")],
  ]);
  const topic = `${client.base}/tasks/${taskId}/status`;
  const { at } = await client.message(
    "queued",
    (message) => message.topic === topic && message.text.includes('"queued"'),
  );
  await done;
  await client.final(taskId);
  return at - since;
}

/** From the command to its end; in ms. */
async function help(scene: Scene): Promise<number> {
  const since = performance.now();
  await run(scene, ["--help"]);
  return performance.now() - since;
}

/** Runs a command as `deno task client` does. */
async function run({ project }: Scene, words: string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [...clientArguments(), ...words],
    clearEnv: true,
    env: {
      ...project.environment("hand"),
      DENO_DIR: await denoDirectory(),
      NO_COLOR: "1",
    },
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
}

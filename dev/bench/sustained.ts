/**
 * Tasks a minute through one worker, against a shell that runs as many
 * `ansible-playbook` at once.
 *
 * @module
 */
import { type Figure, ratios } from "./figures.ts";
import { Scene } from "./scene.ts";

const TASKS = 40;
const ROUNDS = 2;

/** With 1, 2 and 4 slots. */
export async function sustained(): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const slots of [1, 2, 4]) {
    await using scene = await Scene.create();
    await scene.worker({ worker: { max_concurrent_tasks: slots } });
    const { client } = scene;
    await scene.byMessage(scene.request("one.yml"));
    const worker: number[] = [];
    const shell: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const since = performance.now();
      await Promise.all(
        Array.from({ length: TASKS }, async () => {
          const request = scene.request("one.yml");
          await client.submit(request);
          const { state } = await client.final(request.task_id, 300);
          if (state !== "success") throw new Error(state);
        }),
      );
      worker.push(TASKS / (performance.now() - since) * 60_000);
      const seconds = await scene.byHand("sh", [
        "-c",
        `seq ${TASKS} | xargs -P ${slots} -n 1 sh -c 'exec ansible-playbook -i hosts one.yml'`,
      ]);
      shell.push(TASKS / seconds * 60);
    }
    figures.push({
      what: `sustained: ${slots} slots`,
      values: worker,
      unit: "tasks/min",
      against: { what: "a shell loop", ratios: ratios(worker, shell) },
      aim: { min: 3 },
    });
  }
  return figures;
}

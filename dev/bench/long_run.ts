/**
 * Many tasks in one worker: what it has gathered after 100 and 1,000.
 *
 * @module
 */
import type { Figure } from "./figures.ts";
import { Scene } from "./scene.ts";

const TASKS = 1000;
const MARKS: ReadonlySet<number> = new Set([100, TASKS]);

/** Memory, file descriptors and processes. */
export async function longRun(): Promise<Figure[]> {
  await using scene = await Scene.create();
  const worker = await scene.worker();
  const figures: Figure[] = [];
  let first: number[] | null = null;
  for (let i = 1; i <= TASKS; i++) {
    await scene.byMessage(scene.request("none.yml"));
    scene.client.messages.length = 0;
    if (!MARKS.has(i)) continue;
    const files = [...Deno.readDirSync(`/proc/${worker.pid}/fd`)].length;
    const processes = (await scene.project.processes()).length;
    const values = [await worker.memory(), files, processes];
    first ??= values;
    for (const [j, unit] of ["MB", "files", "processes"].entries()) {
      figures.push({
        what: `long run: after ${i.toLocaleString("en")} tasks`,
        values: [values[j]!],
        unit,
        ...(i > 100 && {
          against: {
            what: "after 100",
            ratios: [values[j]! / first[j]!],
          },
        }),
      });
    }
  }
  return figures;
}

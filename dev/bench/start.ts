/**
 * From publishing a request to its final status, against `ansible-playbook`
 * typed by hand with the same arguments, and against ansible-runner called from
 * a Python program that has imported it: one after the other, in turn.
 *
 * @module
 */
import { type Figure, ratios } from "./figures.ts";
import { Runner } from "./runner.ts";
import { Scene } from "./scene.ts";

const PAIRS = 15;

/** Playbooks of 0, 1 and 10 play tasks. */
export async function start(): Promise<Figure[]> {
  await using scene = await Scene.create();
  await scene.worker();
  await using runner = await Runner.start(scene);
  const figures: Figure[] = [];
  for (
    const [tasks, name] of [[0, "none.yml"], [1, "one.yml"], [
      10,
      "ten.yml",
    ]] as const
  ) {
    const message: number[] = [];
    const hand: number[] = [];
    const python: number[] = [];
    // One of each first, which is not counted.
    for (let i = -1; i < PAIRS; i++) {
      const times = [
        await scene.byMessage(scene.request(name)),
        await scene.playbookByHand(name),
        await runner.run(name),
      ] as const;
      if (i < 0) continue;
      message.push(times[0]);
      hand.push(times[1]);
      python.push(times[2]);
    }
    const what = `start: ${tasks} play tasks, by message`;
    const ms = message.map((time) => time * 1000);
    figures.push({
      what,
      values: ms,
      unit: "ms",
      against: { what: "by hand", ratios: ratios(message, hand) },
      ...(tasks === 1 && { aim: { max: 0.14 } }),
      ...(tasks === 10 && { aim: { max: 0.28 } }),
    }, {
      what,
      values: ms,
      unit: "ms",
      against: { what: "ansible-runner", ratios: ratios(message, python) },
    });
  }
  return figures;
}

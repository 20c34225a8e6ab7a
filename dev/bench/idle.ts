/**
 * What an idle worker costs, by process.
 *
 * @module
 */
import { pause } from "../../tests/harness/waiting.ts";
import type { Figure } from "./figures.ts";
import { processorTime } from "./processor_time.ts";
import { Scene } from "./scene.ts";

/** How long it is watched, in seconds. */
const WATCHED = 30;

/** Memory and processor time of the worker and of its waiting launcher. */
export async function idle(): Promise<Figure[]> {
  await using scene = await Scene.create();
  const worker = await scene.worker();
  await scene.byMessage(scene.request("one.yml"));
  const processes = await scene.project.processes();
  const figures: Figure[] = [];
  const parts = processes.map(({ pid, command }) => ({
    pid,
    name: pid === worker.pid
      ? "the worker"
      : command.includes("ansible-playbook")
      ? "the waiting launcher"
      : command,
  }));
  const before = await Promise.all(parts.map(({ pid }) => processorTime(pid)));
  await pause(WATCHED);
  for (const [i, { pid, name }] of parts.entries()) {
    const { pss, rss } = await memory(pid);
    figures.push(
      { what: `idle: ${name}, resident`, values: [rss], unit: "MB" },
      { what: `idle: ${name}, its share of it`, values: [pss], unit: "MB" },
      {
        what: `idle: ${name}, processor`,
        values: [
          ((await processorTime(pid)).own - before[i]!.own) / WATCHED * 1000,
        ],
        unit: "ms/s",
      },
    );
  }
  return figures;
}

async function memory(pid: number): Promise<{ pss: number; rss: number }> {
  const text = await Deno.readTextFile(`/proc/${pid}/smaps_rollup`);
  const of = (name: string) =>
    Number(new RegExp(`^${name}:\\s*(\\d+)`, "m").exec(text)![1]) / 1024;
  return { pss: of("Pss"), rss: of("Rss") };
}

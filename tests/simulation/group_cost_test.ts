/**
 * A group of any size costs per task what one worker costs, and no task waits
 * while a worker is idle.
 *
 * The figures are the same each time. Where a bound is 1.25, that is what was
 * aimed at. Half idle, tasks come by chance, and some reach a worker that is
 * busy: the smaller the group, the more, and each that is handed over is
 * accepted twice.
 */
import assert from "node:assert/strict";
import { ROOT } from "../../dev/programs.ts";
import type { measureNewcomer, TaskCost } from "./group_load.ts";

/** The most packets for a task, against those of a group of one. */
const BOUNDS = {
  saturated: { 4: 1.25, 16: 1.25, 100: 1.25 },
  "half-idle": { 4: 1.6, 16: 1.3, 100: 1.25 },
};

/** Longest waits that nothing but the way of a task is the reason of, in ms. */
const MAX_MEDIAN_MS = 20;
const MAX_P99_MS = 100;

async function measure<T>(...args: string[]): Promise<T> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", `${ROOT}tests/simulation/group_cost.ts`, ...args],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).output();
  const decoder = new TextDecoder();
  assert.equal(code, 0, decoder.decode(stderr));
  return JSON.parse(decoder.decode(stdout));
}

for (const load of ["saturated", "half-idle"] as const) {
  Deno.test(`simulation: a task costs in a group that is ${load} what it costs one worker`, async () => {
    const one = await measure<TaskCost>(load, "1");
    console.log(`1 worker: ${one.packets.toFixed(1)} packets for a task`);
    for (const [size, bound] of Object.entries(BOUNDS[load])) {
      const { packets, waited } = await measure<TaskCost>(load, size);
      const { median, p99, max } = waited;
      const ratio = packets / one.packets;
      const told = `${size} workers: ${packets.toFixed(1)}, ${
        ratio.toFixed(2)
      } of one's; with an idle worker there, tasks waited ${
        median.toFixed(0)
      } ms, 1 % of them ${p99.toFixed(0)} ms or more, one ${max.toFixed(0)} ms`;
      console.log(told);
      assert.ok(ratio <= bound, told);
      assert.ok(median <= MAX_MEDIAN_MS && p99 <= MAX_P99_MS, told);
    }
  });
}

Deno.test("simulation: a worker that starts among 100 is told of them, and no more", async () => {
  const measured = (size: string) =>
    measure<Awaited<ReturnType<typeof measureNewcomer>>>("newcomer", size);
  const few = await measured("1");
  const many = await measured("100");
  for (
    const [size, { untilReady, afterwards }] of [[1, few], [100, many]] as const
  ) {
    console.log(
      `beside ${size}, sent until it is ready: ${untilReady.packets} packets, ${untilReady.bytes} bytes; then ${afterwards.packets}, ${afterwards.bytes}`,
    );
  }
  // Who is there, each once; the rest is the same.
  assert.equal(many.untilReady.packets - few.untilReady.packets, 99);
  assert.ok(many.afterwards.packets <= 20);
});

// deno-lint-ignore-file no-console
/**
 * `deno task bench`: from publishing a request to its final status, against
 * `ansible-playbook` typed by hand with the same arguments, in turn.
 *
 * @module
 */
import { Broker } from "../../tests/harness/broker.ts";
import { Client } from "../../tests/harness/client.ts";
import { Project } from "../../tests/harness/project.ts";
import { Worker } from "../../tests/harness/worker.ts";
import { setUp } from "../set_up.ts";

if (!await setUp()) Deno.exit(1);
const PAIRS = 30;

await using broker = await Broker.start();
await using project = await Project.create({
  hosts: "localhost ansible_connection=local\n",
  "one.yml": `
- hosts: all
  gather_facts: false
  tasks:
    - debug: msg=hello
`,
});
await using client = await Client.connect(broker.port);
await using worker = await Worker.start({
  project,
  port: broker.port,
  config: { log_level: "INFO" },
});

const byMessage: number[] = [];
const byHand: number[] = [];
// One of each first, which is not counted.
for (let i = -1; i < PAIRS; i++) {
  const times = [await message(i), await hand()];
  if (i < 0) continue;
  byMessage.push(times[0]!);
  byHand.push(times[1]!);
}
const ratios = byMessage.map((time, i) => time / byHand[i]!);
console.log(
  `${PAIRS} pairs, one play task on localhost; ${navigator.hardwareConcurrency} cores`,
);
for (
  const [name, values, digits] of [
    ["by message, ms", byMessage, 0],
    ["by hand, ms", byHand, 0],
    ["ratio of a pair", ratios, 2],
  ] as const
) {
  const sorted = values.toSorted((a, b) => a - b);
  const show = (at: number) =>
    sorted[Math.floor(at * (sorted.length - 1))]!.toFixed(digits).padStart(6);
  console.log(
    `${name.padEnd(16)} median ${show(0.5)}  from ${show(0)}  to ${show(1)}`,
  );
}
await worker.stop();

async function message(i: number): Promise<number> {
  const since = performance.now();
  const final = await client.run({
    task_id: `bench-${i + 1}`,
    playbook: "one.yml",
    inventory: "hosts",
  });
  if (final.state !== "success") throw new Error(JSON.stringify(final));
  return performance.now() - since;
}

async function hand(): Promise<number> {
  const since = performance.now();
  const { success } = await new Deno.Command("ansible-playbook", {
    args: ["--inventory=hosts", "--", "one.yml"],
    cwd: project.directory,
    env: { ...project.environment("hand"), LC_ALL: "C.UTF-8" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).output();
  if (!success) throw new Error("the run by hand has failed");
  return performance.now() - since;
}

/**
 * The client commands in a group whose broker keeps 10,000 statuses.
 *
 * @module
 */
import { Broker } from "../../tests/harness/broker.ts";
import { Client } from "../../tests/harness/client.ts";
import { Terminal } from "../../tests/harness/terminal.ts";
import { denoDirectory } from "../../tests/harness/worker.ts";
import { status } from "../../tests/web/messages.ts";
import { clientArguments } from "../programs.ts";
import type { Figure } from "./figures.ts";

const TASKS = 10_000;
const TURNS = 5;

/** How often a process is asked for its memory, in milliseconds. */
const POLL_MS = 50;

/** `tasks`, `watch` with the name of a task, and `watch` in a terminal. */
export async function listing(): Promise<Figure[]> {
  await using broker = await Broker.start({
    extra: ["max_queued_messages 0", "set_tcp_nodelay true"],
  });
  await using client = await Client.connect(broker.port);
  const idOf = (i: number) => `t-${String(i).padStart(5, "0")}`;
  let bytes = 0;
  for (let i = 0; i < TASKS; i++) {
    const at = (seconds: number) =>
      new Date(Date.UTC(2026, 4, 4) + (i * 60 + seconds) * 1000).toISOString();
    const payload = JSON.stringify(status(idOf(i), "success", {
      created_at: at(0),
      started_at: at(1),
      completed_at: at(3),
    }));
    const topic = `${client.base}/tasks/${idOf(i)}/status`;
    bytes += topic.length + payload.length;
    await client.publish(topic, payload, { retain: true, qos: 0 });
  }
  const last = idOf(TASKS - 1);
  const group = [
    ...["--host", "127.0.0.1", "--port", String(broker.port)],
    ...["--group", client.base.split("/").at(-1)!],
  ];
  const figures: Figure[] = [{
    what: "10,000 statuses: their topics and payloads",
    values: [bytes / 1e6],
    unit: "MB",
  }];
  for (
    const [what, words] of [
      ["`tasks`", ["tasks"]],
      ["`watch TASK_ID`", ["watch", last]],
    ] as const
  ) {
    const seconds: number[] = [];
    const memory: number[] = [];
    for (let i = 0; i < TURNS; i++) {
      const ran = await run([...words, ...group]);
      seconds.push(ran.seconds);
      memory.push(ran.memory);
    }
    figures.push(
      { what: `10,000 statuses: ${what}`, values: seconds, unit: "s" },
      {
        what: `10,000 statuses: ${what}, memory at most`,
        values: memory,
        unit: "MB",
      },
    );
  }
  const drawn: number[] = [];
  for (let i = 0; i < TURNS; i++) {
    const since = performance.now();
    await using terminal = Terminal.run(
      [Deno.execPath(), ...clientArguments(), "watch", ...group],
      { env: await environment() },
    );
    await terminal.shows(new RegExp(`\\n${last} `));
    drawn.push((performance.now() - since) / 1000);
  }
  figures.push({
    what: "10,000 statuses: `watch` in a terminal, to the newest",
    values: drawn,
    unit: "s",
  });
  return figures;
}

async function environment(): Promise<Record<string, string>> {
  return {
    PATH: Deno.env.get("PATH") ?? "",
    DENO_DIR: await denoDirectory(),
    TERM: "xterm",
  };
}

/** Runs a command to its end; in seconds, and MB. */
async function run(
  words: string[],
): Promise<{ seconds: number; memory: number }> {
  const since = performance.now();
  const child = new Deno.Command(Deno.execPath(), {
    args: [...clientArguments(), ...words],
    env: await environment(),
    stdin: "null",
    stdout: "null",
  }).spawn();
  let memory = 0;
  const poll = setInterval(() => {
    try {
      const text = Deno.readTextFileSync(`/proc/${child.pid}/status`);
      memory = Number(/VmHWM:\s*(\d+)/.exec(text)?.[1] ?? 0) / 1024 || memory;
    } catch {
      // It has just ended.
    }
  }, POLL_MS);
  const { success } = await child.status;
  clearInterval(poll);
  if (!success) throw new Error(`${words.join(" ")} has failed`);
  return { seconds: (performance.now() - since) / 1000, memory };
}

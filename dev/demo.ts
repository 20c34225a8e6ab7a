// deno-lint-ignore-file no-console
/**
 * `deno task demo`: a private broker, a worker under its real permissions, and
 * three tasks that one can watch. `--keep` leaves it running to play with.
 *
 * @module
 */
import mqtt from "mqtt";
import type { MqttClient } from "mqtt";
import type { TaskStatus } from "../src/messages/task_status.ts";
import { Board } from "./demo/board.ts";
import { freePort, mosquitto, ROOT, startArguments } from "./programs.ts";
import { setUp } from "./set_up.ts";

const GROUP = "demo";
const BASE = `ansible/${GROUP}`;
const TASKS = [
  {
    says: "three hosts, a role, an include and a handler",
    expected: "success",
    request: {
      task_id: "demo-site",
      playbook: "site.yml",
      inventory: "hosts.ini",
      extra_vars: { who: "a message on MQTT" },
    },
  },
  {
    says: "a playbook that fails, with its reason",
    expected: "failed",
    request: {
      task_id: "demo-broken",
      playbook: "broken.yml",
      inventory: "hosts.ini",
    },
  },
  {
    says: "a playbook that is stopped by its time limit",
    expected: "timeout",
    request: {
      task_id: "demo-slow",
      playbook: "slow.yml",
      inventory: "hosts.ini",
      timeout: 3,
    },
  },
];

await using cleanUp = new AsyncDisposableStack();
const interrupted = Promise.withResolvers<void>();
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  const listener = () => interrupted.resolve();
  Deno.addSignalListener(signal, listener);
  cleanUp.defer(() => Deno.removeSignalListener(signal, listener));
}
Deno.exitCode = await demo(Deno.args.includes("--keep"));

async function demo(keep: boolean): Promise<number> {
  if (!await setUp()) return 1;
  const directory = await Deno.makeTempDir({ prefix: "ansible-worker-demo-" });
  cleanUp.defer(() => Deno.remove(directory, { recursive: true }));
  const port = freePort();

  console.log(`Starting mosquitto on 127.0.0.1:${port}`);
  await start("mosquitto", (await mosquitto())!, [
    "-c",
    await write(
      `${directory}/mosquitto.conf`,
      `listener ${port} 127.0.0.1\nallow_anonymous true\nset_tcp_nodelay true\n`,
    ),
  ]);
  const client = await connect(port);
  cleanUp.defer(() => client.endAsync(true));

  console.log("Starting a worker with: deno task start -c config.yaml");
  const online = presence(client);
  const worker = await start("worker", Deno.execPath(), [
    ...startArguments(),
    "-c",
    await write(
      `${directory}/config.yaml`,
      JSON.stringify({
        mqtt: { host: "127.0.0.1", port },
        worker: {
          group_name: GROUP,
          worker_id: "demo-worker",
          playbook_directory: `${ROOT}dev/demo/playbooks`,
          kill_grace: 1,
          shutdown_grace: 1,
          status_interval: 0.2,
        },
      }),
    ),
  ]);
  const up = await Promise.race([
    online.then(() => true),
    worker.ended.then(() => false),
    interrupted.promise.then(() => false),
  ]);
  if (!up) {
    console.error("The worker has not started:\n" + worker.output());
    return 1;
  }

  const board = new Board(TASKS.map(({ request }) => request.task_id));
  const all = watch(client, (status) => board.show(status));
  for (const { says, request } of TASKS) {
    console.log(`Publishing ${request.task_id}: ${says}`);
    await client.publishAsync(`${BASE}/tasks`, JSON.stringify(request), {
      qos: 2,
    });
  }
  board.open();
  const finals = await Promise.race([all, interrupted.promise]);
  board.close();
  if (!finals) return 130;
  const asExpected = report(finals);
  if (keep) {
    console.log(`
It goes on running. Try, in another terminal:

  mosquitto_sub -p ${port} -v -t '${BASE}/#' &
  mosquitto_pub -p ${port} -V 5 -q 2 -t ${BASE}/tasks -m '${
      JSON.stringify({ ...TASKS[0]!.request, task_id: "mine-1" })
    }'

Ctrl-C ends it.`);
    await interrupted.promise;
  } else {
    console.log(`
Where to go next: "deno task demo --keep" leaves it running to play with;
README.md, "Installation on a host", sets up a worker of your own.`);
  }
  return asExpected ? 0 : 1;
}

function report(finals: Map<string, TaskStatus>): boolean {
  console.log("\nFinal statuses:");
  let good = true;
  for (const { request, expected } of TASKS) {
    const status = finals.get(request.task_id)!;
    console.log(JSON.stringify(status, null, 2));
    if (status.state !== expected) {
      console.error(`${request.task_id} should have ended as ${expected}`);
      good = false;
    }
  }
  return good;
}

function watch(
  client: MqttClient,
  each: (status: TaskStatus) => void,
): Promise<Map<string, TaskStatus>> {
  const finals = new Map<string, TaskStatus>();
  return new Promise((resolve) => {
    client.on("message", (topic, payload) => {
      if (!topic.startsWith(`${BASE}/tasks/`)) return;
      const status: TaskStatus = JSON.parse(payload.toString());
      each(status);
      if (status.completed_at) finals.set(status.task_id, status);
      if (finals.size === TASKS.length) resolve(finals);
    });
    client.subscribe(`${BASE}/tasks/+/status`, { qos: 1 });
  });
}

function presence(client: MqttClient): Promise<void> {
  return new Promise((resolve) => {
    client.on("message", (topic, payload) => {
      if (!topic.startsWith(`${BASE}/workers/`)) return;
      if (JSON.parse(payload.toString()).state === "online") resolve();
    });
    client.subscribe(`${BASE}/workers/+/status`, { qos: 1 });
  });
}

/** Connects as soon as the broker accepts. */
function connect(port: number): Promise<MqttClient> {
  const client = mqtt.connect({
    host: "127.0.0.1",
    port,
    protocolVersion: 5,
    reconnectPeriod: 50,
  });
  // Refused until the broker listens.
  client.on("error", () => {});
  return new Promise((resolve) =>
    client.once("connect", () => resolve(client))
  );
}

async function write(file: string, text: string): Promise<string> {
  await Deno.writeTextFile(file, text);
  return file;
}

async function start(
  _name: string,
  program: string,
  args: string[],
): Promise<{ ended: Promise<unknown>; output(): string }> {
  const child = new Deno.Command(program, {
    args,
    stdin: "null",
    stdout: "null",
    stderr: "piped",
    // What a terminal sends to the whole group is passed on in order, below.
    detached: true,
  }).spawn();
  let text = "";
  const reading = (async () => {
    for await (
      const part of child.stderr.pipeThrough(new TextDecoderStream())
    ) {
      text = (text + part).slice(-10_000);
    }
  })();
  cleanUp.defer(async () => {
    try {
      child.kill("SIGTERM");
    } catch {
      // It has ended already.
    }
    await child.status;
    await reading;
  });
  await Promise.resolve();
  return { ended: child.status, output: () => text };
}

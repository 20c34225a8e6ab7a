/** Brokers that a worker cannot rely on: it says why, and does not start. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import mqtt from "mqtt-packet";
import type { Packet } from "mqtt-packet";
import { Broker, type BrokerOptions } from "../harness/broker.ts";
import { Client } from "../harness/client.ts";
import { idleLauncher } from "../harness/idle_launcher.ts";
import { Project } from "../harness/project.ts";
import { userNamesAsClientIds } from "../harness/user_names.ts";
import { nothingHeld } from "../harness/verdict.ts";
import { within } from "../harness/waiting.ts";
import { Worker, type WorkerOptions } from "../harness/worker.ts";
import {
  ListeningBroker,
  type ListeningBrokerOptions,
} from "../simulation/listener.ts";

function test(name: string, fn: () => Promise<void>): void {
  Deno.test({ name, sanitizeOps: true, sanitizeResources: true, fn });
}

/** Asserts that a worker ends with 1, and says this as an error. */
async function refuses(
  broker: { port: number },
  reason: RegExp,
  options: Partial<WorkerOptions> = {},
): Promise<void> {
  await using project = await Project.create();
  await using worker = await Worker.spawn({
    project,
    port: broker.port,
    env: await idleLauncher(project),
    ...options,
  });
  const { code } = await within("its end", worker.exited);
  await worker.ended();
  assert.equal(code, 1, worker.log);
  const last = /ERROR (.*)/.exec(worker.log)?.[1] ?? "";
  assert.match(last, reason);
  assert.ok(last.includes(`the broker at 127.0.0.1:${broker.port}`), last);
  assert.doesNotMatch(worker.log, /ready for tasks|internal error/);
}

/** A packet that the simulated broker sends. */
function packetOf(bytes: Uint8Array): Packet {
  let packet: Packet | undefined;
  const reader = mqtt.parser({ protocolVersion: 5 });
  reader.on("packet", (one) => packet = one);
  reader.parse(Buffer.from(bytes));
  return packet!;
}

/** The answer 0x01 to each publication, as mochi 2.7.9 gives it to some. */
function pubackOne(bytes: Uint8Array): Uint8Array {
  const { cmd, messageId = 0 } = packetOf(bytes);
  return cmd === "puback"
    ? Uint8Array.of(0x40, 4, messageId >> 8, messageId & 0xff, 0x01, 0)
    : bytes;
}

const MOSQUITTOS: [string, string[], RegExp][] = [
  ["no retained messages", ["retain_available false"], /no retained messages$/],
  [
    "packets that hold no status",
    ["max_packet_size 2000"],
    /offers no packets of 2048 bytes, .* \(2000 at most\)$/,
  ],
];

for (const [what, extra, reason] of MOSQUITTOS) {
  test(`mosquitto that takes ${what}: the worker says so, and does not start`, async () => {
    const options: BrokerOptions = { extra };
    await using broker = await Broker.start(options);
    await refuses(broker, reason);
  });
}

test("mosquitto that makes client ids of user names: the worker names the setting, and does not start", async () => {
  await using project = await Project.create();
  const { broker, port, mqtt } = await userNamesAsClientIds(project);
  await using _broker = broker;
  await refuses({ port }, /use_username_as_clientid/, { mqtt });
});

const SIMULATED: [string, ListeningBrokerOptions, RegExp][] = [
  [
    "takes messages of QoS 0 only",
    { behaviour: { offers: { maximumQoS: 0 } } },
    /offers no QoS 1$/,
  ],
  [
    "answers with a reason code that is none",
    { garble: pubackOne },
    /has sent a PUBACK that cannot be read: Invalid puback reason code \(40 04 .. .. 01 00\)$/,
  ],
  [
    "sends packets of no type",
    {
      garble: (bytes) =>
        packetOf(bytes).cmd === "suback" ? Uint8Array.of(0, 0) : bytes,
    },
    /has sent a packet of type 0 that cannot be read: .* \(00 00\)$/,
  ],
  [
    "lets properties go missing",
    { behaviour: { losesProperties: true } },
    /does not pass on the user properties of messages; a bridge or/,
  ],
  [
    "sends what is retained once",
    { behaviour: { retainedOnce: true } },
    /does not send a retained message again to a client that subscribes again/,
  ],
  [
    "has no wildcard subscriptions",
    { behaviour: { offers: { wildcardSubscriptionAvailable: false } } },
    /offers no wildcard subscriptions$/,
  ],
  [
    "gives clients ids of its own",
    { behaviour: { offers: { assignedClientIdentifier: "another" } } },
    /gives the client "ansible-worker-.*" another client id, "another"$/,
  ],
  ...[
    "$share/ansible-worker-test/ansible/test/tasks",
    "ansible/test/workers/w1/tasks",
    "ansible/test/tasks/+/cancel",
    "ansible/test/workers/+/status",
  ].map((topic): [string, ListeningBrokerOptions, RegExp] => [
    `refuses a subscription to ${topic}`,
    { behaviour: { refuses: [topic] } },
    new RegExp(
      `refuses the subscription to "${RegExp.escape(topic)}": not authorized$`,
    ),
  ]),
];

for (const [what, options, reason] of SIMULATED) {
  test(`a broker that ${what}: the worker says so, and does not start`, async () => {
    await using broker = await ListeningBroker.start(options);
    await refuses(broker, reason);
  });
}

test("packets that cannot be read while the worker works: it says what came, and goes on when they end", async () => {
  let isOut = false;
  await using broker = await ListeningBroker.start({
    garble: (bytes) => isOut ? pubackOne(bytes) : bytes,
  });
  await using project = await Project.create();
  await using client = await Client.connect(broker.port);
  await using worker = await Worker.start({ project, port: broker.port });
  isOut = true;
  await client.submit(project.work("t"));
  await worker.logged(
    `no connection to the broker at 127.0.0.1:${broker.port} (control): the broker has sent a PUBACK that cannot be read: Invalid puback reason code (40 04`,
    2,
  );
  isOut = false;
  const final = await client.final("t");
  assert.equal(final.state, "success");
  assert.equal((await client.run(project.work("next"))).state, "success");
  assert.equal(await worker.stop(), 0);
});

test("a broker that refuses the status topic of one task for a while: it is said, the others run, and so does this one then", async () => {
  const refuses = ["ansible/test/tasks/t-1/status"];
  await using broker = await ListeningBroker.start({ behaviour: { refuses } });
  await using project = await Project.create();
  await using client = await Client.connect(broker.port);
  await using worker = await Worker.start({ project, port: broker.port });
  for (const id of ["t-0", "t-1", "t-2"]) {
    await client.submit(project.work(id));
  }
  await worker.logged("cannot look at the status of a task; tried again");
  for (const id of ["t-0", "t-2"]) {
    assert.equal((await client.final(id)).state, "success");
  }
  assert.deepEqual(client.history("t-1"), []);
  refuses.pop();
  assert.equal((await client.final("t-1")).state, "success");
  await nothingHeld(client, broker.port, ["w1"]);
  assert.equal(worker.log.match(/cannot look at the status/g)!.length, 1);
  assert.match(worker.log, /refuses the subscription to .*: not authorized/);
  assert.equal(await worker.stop(), 0);
});

test("a broker that refuses the status topic of one task after its restart: it is said, the others run, and its end is there once it may be", async () => {
  const refuses: string[] = [];
  await using broker = await ListeningBroker.start({
    persistence: true,
    behaviour: { refuses },
  });
  await using project = await Project.create();
  await using client = await Client.connect(broker.port);
  await using worker = await Worker.start({
    project,
    port: broker.port,
    worker: { max_concurrent_tasks: 2 },
  });
  await client.submit(project.work("t-0", { held: true }));
  await project.started("t-0");
  await broker.stop();
  refuses.push("ansible/test/tasks/t-0/status");
  await broker.start();
  await worker.logged("(control)\n", 2);
  await worker.logged("(intake)\n", 2);
  assert.equal((await client.run(project.work("t-1"))).state, "success");
  const refused = "ERROR the broker refuses a status; it is tried again";
  await worker.logged(refused);
  await project.release("t-0");
  await worker.logged("the task ended: success", 2);
  const waits = new RegExp(refused, "g");
  assert.equal(worker.log.match(waits)?.length, 1, worker.log);
  assert.equal(client.history("t-0").at(-1)!.state, "running");
  refuses.pop();
  assert.equal((await client.final("t-0")).state, "success");
  assert.equal(worker.log.match(waits)!.length, 1);
  await nothingHeld(client, broker.port, ["w1"]);
  assert.equal(await worker.stop(), 0);
});

test("a broker that keeps no sessions: the worker says what that means, and works", async () => {
  await using broker = await ListeningBroker.start({
    behaviour: { offers: { sessionExpiryInterval: 0 } },
  });
  await using project = await Project.create();
  await using client = await Client.connect(broker.port);
  await using worker = await Worker.start({ project, port: broker.port });
  assert.match(
    worker.log,
    /WARN {2}the broker does not keep this worker's sessions \(mqtt\.session_expiry: \d+\); what is published while no worker of the group is connected is lost, but not what was accepted/,
  );
  assert.equal((await client.run(project.work("t"))).state, "success");
  assert.equal(await worker.stop(), 0);
});

for (const sharedQos of [0, 1] as const) {
  test(`a share that is granted QoS ${sharedQos}: what comes is run, once`, async () => {
    await using broker = await ListeningBroker.start({
      behaviour: { sharedQos },
    });
    await using project = await Project.create();
    await using client = await Client.connect(broker.port);
    await using worker = await Worker.start({ project, port: broker.port });
    const ids = ["a", "b", "c"];
    for (const id of ids) await client.submit(project.work(id));
    for (const id of ids) {
      assert.equal((await client.final(id)).state, "success");
    }
    const starts = (await project.truth()).filter(({ what }) =>
      what === "start"
    );
    assert.deepEqual(starts.map(({ id }) => id).toSorted(), ids);
    assert.equal(await worker.stop(), 0);
  });
}

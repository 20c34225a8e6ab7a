/** The doctor, on set-ups that are well and on set-ups that are broken. */
import assert from "node:assert/strict";
import { freePort } from "../../dev/programs.ts";
import { Broker } from "../harness/broker.ts";
import { Certificates } from "../harness/certificates.ts";
import { Client, open } from "../harness/client.ts";
import { type DoctorOptions, examine, type Report } from "../harness/doctor.ts";
import { idleLauncher } from "../harness/idle_launcher.ts";
import { OldBroker } from "../harness/old_broker.ts";
import { contentOf } from "../harness/content.ts";
import { Project } from "../harness/project.ts";
import { allFinal, keptPromises, nothingHeld } from "../harness/verdict.ts";
import { userNamesAsClientIds } from "../harness/user_names.ts";
import { Worker } from "../harness/worker.ts";
import { ListeningBroker } from "../simulation/listener.ts";

/** Asserts what was found wrong, and that each has its cause and its advice. */
function assertWrong(
  report: Report,
  expected: { failed?: string[]; warning?: string[]; says: RegExp },
): void {
  assert.deepEqual(report.with("failed"), expected.failed ?? [], report.text);
  assert.deepEqual(report.with("warning"), expected.warning ?? [], report.text);
  const [id] = [...expected.failed ?? [], ...expected.warning ?? []];
  assert.match(report.of(id!).message, expected.says);
  for (const { status, advice, message } of report.findings) {
    if (status === "failed" || status === "warning") {
      assert.ok(advice.length > 0, `something to do about: ${message}`);
    }
    if (status === "skipped") assert.match(message, /^needs /);
  }
  assert.equal(report.code, report.with("failed").length > 0 ? 1 : 0);
}

/** How many doctors are at work at once: half of their time they wait. */
const DOCTORS = 2;

/** Makes a step of each case, of which several run at once. */
async function sideBySide<T>(
  t: Deno.TestContext,
  cases: T[],
  stepOf: (one: T, i: number) => { name: string; fn(): Promise<void> },
): Promise<void> {
  const left = [...cases.entries()];
  const passed: boolean[] = [];
  await Promise.all(Array.from({ length: DOCTORS }, async () => {
    for (let next = left.shift(); next; next = left.shift()) {
      const [i, one] = next;
      passed.push(
        await t.step({
          ...stepOf(one, i),
          sanitizeOps: false,
          sanitizeResources: false,
          sanitizeExit: false,
        }),
      );
    }
  }));
  assert.ok(passed.every((one) => one));
}

/** What is retained below `ansible/`: topics with their payloads. */
async function retained(port: number): Promise<string[]> {
  const client = await open(port);
  const topics: string[] = [];
  client.on("message", (topic, payload) => topics.push(`${topic} ${payload}`));
  await client.subscribeAsync("ansible/#", { qos: 1 });
  await client.unsubscribeAsync("ansible/#");
  await client.endAsync(true);
  return topics.sort();
}

test("a set-up that is well: all is ok, under the narrowest permissions", async () => {
  await using files = await Certificates.create();
  await using project = await Project.create();
  await Deno.writeTextFile(project.path("passwords"), "worker:pass-word-1\n");
  await new Deno.Command("mosquitto_passwd", {
    args: ["-U", project.path("passwords")],
  }).output();
  await Deno.writeTextFile(
    project.path("acl"),
    "user worker\ntopic readwrite ansible/test/#\n",
  );
  await Deno.writeTextFile(project.path("key"), "", { mode: 0o600 });
  await using broker = await Broker.start({
    tls: {
      ca: files.certificate("ca"),
      cert: files.certificate("server"),
      key: files.key("server"),
      clientCertificates: true,
    },
    extra: [
      "allow_anonymous false",
      `password_file ${project.path("passwords")}`,
      `acl_file ${project.path("acl")}`,
    ],
  });
  const set: DoctorOptions = {
    project,
    port: broker.tlsPort,
    mqtt: {
      username: "worker",
      password: "${MQTT_PASSWORD}",
      tls_enabled: true,
      tls_ca_cert: files.certificate("ca"),
      tls_client_cert: files.certificate("client"),
      tls_client_key: files.key("client"),
    },
    worker: { publish_events: true, publish_output: true },
    config: { ansible: { private_key_file: "key" } },
    env: { MQTT_PASSWORD: "pass-word-1" },
    narrow: true,
  };
  const report = await examine(set);
  assert.deepEqual(
    report.findings.filter(({ status }) => status !== "ok"),
    [],
    report.text,
  );
  assert.equal(report.code, 0);
  assert.ok(report.findings.length > 25, report.text);
  assert.deepEqual(report.of("permissions").advice, []);
  assert.ok(!report.text.includes("pass-word-1"));
  const { code, text } = await examine({ ...set, text: true });
  assert.equal(code, 0);
  assert.match(text, /^ok {7}MQTT 5: supported$/m);
  // A busy machine may be told that it is one.
  assert.match(text, /\n\n\d+ ok(, 1 warning)?\n$/);
  assert.doesNotMatch(text, /^warning(?! +launcher: slow)/m);
});

test("a group at work does not notice the doctor, and nothing is left behind", async () => {
  await using broker = await Broker.start();
  await using project = await Project.create();
  await using worker = await Worker.start({ project, port: broker.port });
  await using client = await Client.connect(broker.port);
  await client.run(project.work("before"));
  await nothingHeld(client, broker.port, ["w1"]);
  const isOfTheGroup = (topic: string) =>
    !topic.startsWith("ansible/test/tasks");
  const before = (await retained(broker.port)).filter(isOfTheGroup);
  const seen = client.messages.length;

  const ids: string[] = [];
  let examined = false;
  const stream = (async () => {
    while (!examined) {
      const id = `t${ids.length}`;
      ids.push(id);
      await client.submit(project.work(id));
      await client.final(id);
    }
  })();
  try {
    for (let i = 0; i < 5 || ids.length <= 5; i++) {
      const report = await examine({ project, port: broker.port });
      assert.equal(report.code, 0, report.text);
      assert.deepEqual(report.of("worker-id").advice, [
        "Online in the group: w1.",
      ]);
      const bad = report.findings.filter(({ status }) => status !== "ok");
      assert.deepEqual(bad, []);
    }
  } finally {
    examined = true;
  }
  await stream;
  await allFinal(client, ids);
  assert.deepEqual(await keptPromises(project, client, ids), {
    success: ids.length,
  });
  assert.ok(ids.length > 5, `${ids.length} tasks`);
  await nothingHeld(client, broker.port, ["w1"]);

  const said = client.messages.slice(seen);
  assert.deepEqual(
    said.filter(({ topic }) => topic === "ansible/test/workers/w1/status"),
    [],
    "no change of its presence",
  );
  assert.deepEqual(client.rejected(), []);
  assert.deepEqual(
    said.filter(({ user }) =>
      user["ansible-worker-check"] === undefined && user.trial === undefined
    ).filter(({ topic }) => topic.includes("!doctor")),
    [],
    "everything about nobody is marked",
  );
  // The load counts up with each task.
  const lasting = (lines: string[]) =>
    lines.filter((line) => !line.includes("/load "));
  assert.deepEqual(
    lasting((await retained(broker.port)).filter(isOfTheGroup)),
    lasting(before),
  );
  assert.doesNotMatch(worker.log, /WARN|ERROR|!doctor|cancel|adopt|rejected/);
  assert.equal(await worker.stop(), 0);
});

test("broken connections name their cause", async (t) => {
  await using files = await Certificates.create();
  await files.sign("elsewhere", { ca: "ca", name: "DNS:elsewhere.example" });
  await files.sign("old", { ca: "ca", name: "IP:127.0.0.1", days: [-2, -1] });
  await files.sign("new", { ca: "ca", name: "IP:127.0.0.1", days: [1, 2] });
  await files.sign("stranger", { ca: "other-ca", name: "DNS:worker" });
  await using project = await Project.create();
  await Deno.writeTextFile(project.path("passwords"), "worker:pass-word-1\n");
  await new Deno.Command("mosquitto_passwd", {
    args: ["-U", project.path("passwords")],
  }).output();
  const listener = (certificate: string, more: string[] = []) => {
    const port = freePort();
    const lines = [
      `listener ${port} 127.0.0.1`,
      `cafile ${files.certificate("ca")}`,
      `certfile ${files.certificate(certificate)}`,
      `keyfile ${files.key(certificate)}`,
      ...more,
    ];
    return { port, lines };
  };
  const secure = listener("server");
  const named = listener("elsewhere");
  const expired = listener("old");
  const early = listener("new");
  const mutual = listener("server", ["require_certificate true"]);
  await using broker = await Broker.start({
    websockets: true,
    extra: [secure, named, expired, early, mutual].flatMap(({ lines }) =>
      lines
    ),
  });
  await using locked = await Broker.start({
    extra: [
      "allow_anonymous false",
      `password_file ${project.path("passwords")}`,
    ],
  });
  await using old = await OldBroker.start({ polite: true });
  await using older = await OldBroker.start({ polite: false });
  const tls = { tls_enabled: true, tls_ca_cert: files.certificate("ca") };
  const cases: [
    string,
    Pick<DoctorOptions, "port" | "mqtt" | "arguments">,
    string,
    RegExp,
  ][] = [
    [
      "a port where nothing listens",
      // Nobody is given this one while the test goes on.
      { port: 1 },
      "broker",
      /^connection refused: nothing listens at 127\.0\.0\.1:\d+$/,
    ],
    [
      "a name that nobody knows",
      { port: 1883, mqtt: { host: "nowhere.invalid" } },
      "broker",
      /^name not found: .*"nowhere\.invalid"$/,
    ],
    [
      "TLS to a plain port",
      { port: broker.port, mqtt: tls },
      "tls",
      /^no TLS at port \d+: the broker speaks plain MQTT there$/,
    ],
    [
      "plain to a TLS port",
      { port: secure.port },
      "tls",
      /^TLS expected at port \d+/,
    ],
    [
      "plain to a TLS port that wants client certificates",
      { port: mutual.port },
      "tls",
      /^TLS expected at port \d+/,
    ],
    [
      "another authority",
      {
        port: secure.port,
        mqtt: { ...tls, tls_ca_cert: files.certificate("other-ca") },
      },
      "tls",
      /^unknown authority: "ca" has signed .* and not the one in mqtt\.tls_ca_cert$/,
    ],
    [
      "an authority that Deno does not know",
      { port: secure.port, mqtt: { tls_enabled: true } },
      "tls",
      /^unknown authority: .* and not one that Deno knows$/,
    ],
    [
      "no certificate in the file",
      { port: secure.port, mqtt: { ...tls, tls_ca_cert: files.key("ca") } },
      "tls",
      /^no certificate in the file that mqtt\.tls_ca_cert names$/,
    ],
    [
      "a certificate for another name",
      { port: named.port, mqtt: tls },
      "tls",
      /^wrong name: .* not for "127\.0\.0\.1", but for DNS:elsewhere\.example$/,
    ],
    [
      "an expired certificate",
      { port: expired.port, mqtt: tls },
      "tls",
      /^certificate expired: .* until \w+/,
    ],
    [
      "a certificate that is not valid yet",
      { port: early.port, mqtt: tls },
      "tls",
      /^certificate not valid yet: .* from \w+/,
    ],
    [
      "no client certificate",
      { port: mutual.port, mqtt: tls },
      "tls",
      /^client certificate missing: the broker wants one/,
    ],
    [
      "a stranger's client certificate",
      {
        port: mutual.port,
        mqtt: {
          ...tls,
          tls_client_cert: files.certificate("stranger"),
          tls_client_key: files.key("stranger"),
        },
      },
      "tls",
      /^client certificate not accepted: .*UnknownCA/,
    ],
    [
      "a wrong password",
      {
        port: locked.port,
        mqtt: { username: "worker", password: "wrong-word-2" },
      },
      "credentials",
      /^wrong user name or password: the broker does not accept "worker"/,
    ],
    [
      "no password",
      { port: locked.port },
      "credentials",
      /^the broker wants a user name and a password/,
    ],
    [
      "a fake broker that refuses MQTT 5",
      { port: old.port },
      "mqtt5",
      /^the broker does not speak MQTT 5$/,
    ],
    [
      "a fake broker that hangs up on MQTT 5",
      { port: older.port },
      "mqtt5",
      /^the broker does not speak MQTT 5$/,
    ],
    [
      "WebSocket to a port without",
      { port: broker.port, mqtt: { websocket_path: "/mqtt" } },
      "mqtt5",
      /^no WebSocket at port \d+/,
    ],
    [
      "no WebSocket to a port with",
      { port: broker.websocketPort },
      "mqtt5",
      /^WebSocket expected at port \d+/,
    ],
    [
      "a sandbox that does not allow it",
      {
        port: broker.port,
        arguments: (args) =>
          args.map((one) =>
            one === "--allow-net" ? "--allow-net=127.0.0.1:1" : one
          ),
      },
      "permissions",
      /^Deno's sandbox does not allow 1 of what is needed$/,
    ],
  ];
  const env = await idleLauncher(project);
  await sideBySide(t, cases, ([name, options, id, says]) => ({
    name,
    async fn() {
      const report = await examine({ project, env, ...options });
      const failed = id === "permissions" ? [id, "broker"] : [id];
      assertWrong(report, { failed, says });
      assert.ok(!/(pass|wrong)-word/.test(report.text));
      // What does not depend on it is looked at all the same.
      assert.equal(report.of("launcher").status, "ok");
      assert.equal(report.of("retained").status, "skipped");
    },
  }));
  await t.step("a broker that does not answer", async () => {
    broker.pause();
    try {
      assertWrong(await examine({ project, port: broker.port }), {
        failed: ["mqtt5"],
        says:
          /^no answer: .* accepts the connection, and then nothing has come/,
      });
    } finally {
      broker.resume();
    }
  });
});

test("a broker that offers too little, or has low limits", async () => {
  await using project = await Project.create();
  const port = freePort();
  await using _broker = await Broker.start({
    extra: [
      "retain_available false",
      `listener ${port} 127.0.0.1`,
      "max_qos 0",
    ],
  });
  const report = await examine({ project, port });
  assert.equal(report.code, 1);
  assert.equal(
    report.of("features").message,
    "the broker offers no retained messages, no QoS 1",
  );
  await using small = await Broker.start({ extra: ["max_packet_size 5000"] });
  const limited = await examine({ project, port: small.port });
  assertWrong(limited, {
    warning: ["limits"],
    says: /^larger requests cannot be sent: .* at most 5000 bytes$/,
  });
  assert.match(
    limited.of("limits").advice.at(-1)!,
    /^mosquitto version \S+ does not tell its max_queued_messages: set it to 0/,
  );
});

test("a broker that no worker can rely on: what a worker would say at its start", async (t) => {
  await using project = await Project.create();
  const wrong = async (port: number, says: RegExp, more = {}) => {
    const report = await examine({ project, port, ...more });
    assert.equal(report.of("trial").status, "failed", report.text);
    assert.match(report.of("trial").message, says);
    assert.deepEqual(report.with("failed"), ["trial"], report.text);
    await using worker = await Worker.spawn({ project, port, ...more });
    await worker.exited;
    await worker.ended();
    assert.ok(worker.log.includes(report.of("trial").message), worker.log);
  };
  await t.step("properties that are lost", async () => {
    const behaviour = { losesProperties: true };
    await using broker = await ListeningBroker.start({ behaviour });
    await wrong(broker.port, /does not pass on the user properties/);
  });
  await t.step("use_username_as_clientid", async () => {
    const { broker, port, mqtt } = await userNamesAsClientIds(project);
    await using _broker = broker;
    await wrong(port, /closes a connection when a second one comes/, { mqtt });
  });
});

test("access rules that deny one topic are found, whichever it is", async (t) => {
  await using project = await Project.create();
  const group = "ansible/test";
  const cases: {
    /** What is not allowed. */
    name: string;
    /** The check that finds it. */
    id: string;
    /** What is allowed of the topics that this check is about. */
    rules: string[];
    says: RegExp;
    /** The worker could work all the same. */
    helping?: boolean;
    /** Another check that needs it as well. */
    also?: string;
  }[] = [
    {
      name: "reading requests",
      id: "tasks",
      rules: ["write tasks"],
      says: /^no right to read "ansible\/test\/tasks": the broker takes the/,
    },
    {
      name: "writing requests",
      id: "tasks",
      rules: ["read tasks"],
      says: /^no right to write "ansible\/test\/tasks" \(not authorized\)$/,
      helping: true,
    },
    {
      name: "reading statuses",
      id: "task-status",
      rules: ["write tasks/+/status"],
      says: /^no right to read "ansible\/test\/tasks\/!doctor-\w+\/status"/,
    },
    {
      name: "writing statuses",
      id: "task-status",
      rules: ["read tasks/+/status"],
      says: /^no right to write "ansible\/test\/tasks\/!doctor-\w+\/status"/,
    },
    {
      name: "reading cancels",
      id: "cancel",
      rules: ["write tasks/+/cancel"],
      says: /^no right to read "ansible\/test\/tasks\/!doctor-\w+\/cancel"/,
    },
    {
      name: "rejections",
      id: "rejected",
      rules: [],
      says: /^no right to write "ansible\/test\/rejected"/,
    },
    {
      name: "its own presence",
      id: "presence",
      rules: ["deny workers/new/status", "readwrite workers/+/status"],
      says: /^no right to write "ansible\/test\/workers\/new\/status"/,
    },
    {
      name: "reading presences",
      id: "presence",
      rules: ["write workers/+/status"],
      says: /^no right to read "ansible\/test\/workers\/!doctor-\w+\/status"/,
    },
    {
      name: "its load",
      id: "load",
      rules: ["deny workers/new/load", "readwrite workers/+/load"],
      says: /^no right to write "ansible\/test\/workers\/new\/load"/,
    },
    {
      name: "reading loads",
      id: "load",
      rules: ["write workers/+/load"],
      says: /^no right to read "ansible\/test\/workers\/!doctor-\w+\/load"/,
      helping: true,
    },
    {
      name: "reading what everyone is asked for",
      id: "everyone",
      rules: ["write everyone/tasks"],
      says: /^no right to read "ansible\/test\/everyone\/tasks"/,
    },
    {
      name: "taking locks",
      id: "locks",
      rules: ["read locks/+"],
      says: /^no right to write "ansible\/test\/locks\/!doctor-\w+"/,
    },
    {
      name: "hearing the probe",
      id: "probe",
      rules: ["write workers/+/probe"],
      says: /^no right to read "ansible\/test\/workers\/new\/probe"/,
    },
    {
      name: "its records",
      id: "queue",
      rules: ["deny workers/new/queue/+", "readwrite workers/+/queue/+"],
      says:
        /^no right to write "ansible\/test\/workers\/new\/queue\/!doctor-\w+"/,
    },
    {
      name: "reading its records",
      id: "queue",
      rules: ["write workers/+/queue/+"],
      says:
        /^no right to read "ansible\/test\/workers\/new\/queue\/!doctor-\w+"/,
      also: "retained",
    },
    {
      name: "the records of others",
      id: "queue",
      rules: ["readwrite workers/new/queue/+"],
      says:
        /^no right to write "ansible\/test\/workers\/!doctor-\w+\/queue\/!doctor/,
      helping: true,
    },
    {
      name: "the inbox",
      id: "inbox",
      rules: ["write workers/+/tasks"],
      says: /^no right to read "ansible\/test\/workers\/new\/tasks"/,
    },
    {
      name: "the inboxes of others",
      id: "inbox",
      rules: ["readwrite workers/new/tasks"],
      says: /^no right to write "ansible\/test\/workers\/!doctor-\w+\/tasks"/,
      helping: true,
    },
  ];
  // Each case is a user, who may do everything with the topics of all others.
  const topics = [
    ["tasks", "tasks"],
    ["task-status", "tasks/+/status"],
    ["cancel", "tasks/+/cancel"],
    ["rejected", "rejected"],
    ["everyone", "everyone/tasks"],
    ["locks", "locks/+"],
    ["presence", "workers/+/status"],
    ["load", "workers/+/load"],
    ["probe", "workers/+/probe"],
    ["queue", "workers/+/queue/+"],
    ["inbox", "workers/+/tasks"],
  ];
  const lines = cases.flatMap(({ id, rules }, i) => [
    `user case-${i}`,
    ...[
      ...rules,
      ...topics.filter(([other]) => other !== id).map(([, topic]) =>
        `readwrite ${topic}`
      ),
    ].map((rule) => `topic ${rule.replace(" ", ` ${group}/`)}`),
  ]);
  await Deno.writeTextFile(project.path("acl"), lines.join("\n") + "\n");
  await using broker = await Broker.start({
    extra: [`acl_file ${project.path("acl")}`],
  });
  const env = await idleLauncher(project);
  await sideBySide(t, cases, ({ name, id, says, helping, also }, i) => ({
    name,
    async fn() {
      const report = await examine({
        project,
        port: broker.port,
        mqtt: { username: `case-${i}`, password: "any" },
        env,
      });
      assertWrong(report, {
        [helping ? "warning" : "failed"]: [
          `access-${id}`,
          ...(also === undefined ? [] : [also]),
        ],
        says,
      });
    },
  }));
});

test("strict rules that a worker can live with are no failure", async () => {
  await using project = await Project.create();
  // Only controllers cancel, and ask everyone.
  await Deno.writeTextFile(
    project.path("acl"),
    [
      "topic read ansible/test/tasks/+/cancel",
      "topic read ansible/test/everyone/tasks",
      "topic readwrite ansible/test/tasks",
      "topic readwrite ansible/test/tasks/+/status",
      "topic readwrite ansible/test/workers/#",
      "topic readwrite ansible/test/locks/+",
      "topic readwrite ansible/test/rejected",
      "",
    ].join("\n"),
  );
  await using broker = await Broker.start({
    extra: [`acl_file ${project.path("acl")}`],
  });
  const report = await examine({ project, port: broker.port });
  assert.equal(report.code, 0, report.text);
  assert.deepEqual(report.with("skipped"), [
    "access-everyone",
    "access-cancel",
  ]);
  assert.match(report.of("access-cancel").message, /^needs the right to write/);
});

test("an id that is taken, and by whom; its owner's topics are left alone", async () => {
  await using broker = await Broker.start();
  await using project = await Project.create();
  await using worker = await Worker.start({ project, port: broker.port });
  const report = await examine({
    project,
    port: broker.port,
    worker: { worker_id: "w1" },
  });
  assertWrong(report, {
    failed: ["worker-id"],
    says: /^taken: a worker that is running has the id "w1", on host w1 since /,
  });
  assert.deepEqual(report.with("skipped"), ["access-probe"]);
  assert.doesNotMatch(worker.log, /WARN|ERROR|!doctor/);
  assert.equal(await worker.stop(), 0);
  const after = await examine({
    project,
    port: broker.port,
    worker: { worker_id: "w1" },
  });
  assert.equal(after.code, 0, after.text);
  assert.equal(after.of("worker-id").message, '"w1" is free');
});

test("playbooks from git: the repository, its ref, what the worker says, and access", async (t) => {
  await using project = await Project.create();
  const { repository, worker, config } = await contentOf(project);
  const head = await repository.head();
  await Deno.writeTextFile(
    project.path("acl"),
    [
      "user worker",
      "topic readwrite ansible/test/#",
      "user other",
      "topic write ansible/test/content",
      "topic readwrite ansible/test/tasks/#",
      "topic readwrite ansible/test/everyone/#",
      "topic readwrite ansible/test/locks/+",
      "topic readwrite ansible/test/workers/#",
      "topic readwrite ansible/test/rejected",
      "",
    ].join("\n"),
  );
  await using broker = await Broker.start({
    extra: [`acl_file ${project.path("acl")}`],
  });
  const set = (content = {}, username = "worker") => ({
    project,
    port: broker.port,
    narrow: true,
    worker,
    mqtt: { username, password: "any" },
    config: { content: { ...config.content as object, ...content } },
  });
  await t.step("before the first start", async () => {
    const report = await examine(set());
    assert.equal(report.code, 0, report.text);
    assert.match(
      report.of("content").message,
      new RegExp(`HEAD is ${head}; no commit is in use yet$`),
    );
    assert.deepEqual(report.with("skipped"), [
      "playbooks",
      "inventories",
      "ansible",
      "launcher",
    ]);
  });
  {
    // It looks by itself, whoever may ask it.
    await using running = await Worker.start({
      ...set({}, "other"),
      id: "new",
    });
    assert.equal(await running.stop(), 0);
  }
  await t.step("in use", async () => {
    const report = await examine(set());
    assert.equal(report.code, 0, report.text);
    assert.match(report.of("content").message, new RegExp(`in use: ${head}$`));
    assert.match(report.of("playbooks").message, /^1 in ".*\/commits\//);
  });
  await t.step("no access", async () => {
    assertWrong(await examine(set({}, "other")), {
      warning: ["access-content"],
      says: /^no right to read "ansible\/test\/content"/,
    });
  });
  await t.step("no such branch", async () => {
    assertWrong(await examine(set({ ref: "none" })), {
      failed: ["content"],
      says: /has no branch and no tag "none"/,
    });
  });
  await t.step("no repository", async () => {
    assertWrong(await examine(set({ repository: project.path("none") })), {
      failed: ["content"],
      says: /^cannot reach the repository: .*does not appear to be a git/,
    });
  });
});

test("what is wrong on this host names its cause", async (t) => {
  await using broker = await Broker.start();
  await using project = await Project.create();
  const { port } = broker;
  await t.step("no configuration", async () => {
    const report = await examine({
      project,
      port,
      arguments: (args) =>
        args.map((one) => one.endsWith("doctor.yaml") ? `${one}.not` : one),
    });
    assertWrong(report, {
      failed: ["configuration"],
      says: /^Cannot read the configuration .*: there is no such file/,
    });
    assert.equal(report.of("broker").status, "skipped");
    assert.equal(report.of("clock").status, "ok");
  });
  await t.step("a configuration with two problems", async () => {
    const report = await examine({
      project,
      port,
      worker: { max_queue_size: 0, grup: "x" },
    });
    assertWrong(report, { failed: ["configuration"], says: /^2 problems$/ });
    const { advice } = report.of("configuration");
    assert.match(advice.join("\n"), /max_queue_size: must be a whole number/);
    assert.match(advice.join("\n"), /worker\.grup: is not a key/);
  });
  await t.step("no playbook directory", async () => {
    const report = await examine({
      project,
      port,
      worker: { playbook_directory: project.path("nowhere") },
    });
    assertWrong(report, {
      failed: ["configuration", "playbooks", "inventories"],
      says: /worker\.playbook_directory: there is no directory/,
    });
    assert.match(report.of("playbooks").message, /^there is no directory/);
    assert.equal(report.of("ansible").status, "skipped");
    assert.equal(report.of("retained").status, "ok");
  });
  await t.step("no playbooks", async () => {
    await Deno.mkdir(project.path("empty"));
    const report = await examine({
      project,
      port,
      worker: { playbook_directory: project.path("empty") },
    });
    assertWrong(report, { warning: ["playbooks"], says: /^no playbook in / });
  });
  await t.step("patterns that allow no playbook", async () => {
    const report = await examine({
      project,
      port,
      config: { policy: { playbooks: ["site/*.yml"] } },
    });
    assertWrong(report, {
      warning: ["playbooks"],
      says: /^policy\.playbooks allows none of the 1 in /,
    });
  });
  await t.step("a playbook that may not be read", async () => {
    await project.write({ "secret.yml": "- hosts: all\n" });
    await Deno.chmod(`${project.directory}/secret.yml`, 0);
    const report = await examine({
      project,
      port,
      // The administrator reads everything, unless that is taken away.
      through: Deno.uid() === 0
        ? ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]
        : [],
    });
    assertWrong(report, {
      failed: ["playbooks"],
      says: /^cannot be read by the user that this runs as: ".*\/secret\.yml"$/,
    });
    await Deno.remove(`${project.directory}/secret.yml`);
  });
  await t.step("an inventory that may not be read", async () => {
    await Deno.mkdir(`${project.directory}/production`, { mode: 0o700 });
    await Deno.chmod(`${project.directory}/production`, 0);
    const asWorker = Deno.uid() === 0
      ? ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]
      : [];
    const says =
      /^cannot be read by the user that this runs as: ".*\/production"$/;
    const among = await examine({ project, port, through: asWorker });
    assertWrong(among, { warning: ["inventories"], says });
    await Deno.chmod(`${project.directory}/production`, 0o755);
    await project.write({ "production/hosts": "h1\n" });
    await Deno.chmod(`${project.directory}/production/hosts`, 0);
    const apart = await examine({
      project,
      port,
      worker: { inventory_directory: `${project.directory}/production` },
      through: asWorker,
    });
    assertWrong(apart, {
      failed: ["inventories"],
      says: /^cannot be read by the user that this runs as: ".*\/hosts"$/,
    });
    await Deno.remove(`${project.directory}/production`, { recursive: true });
  });
  await t.step("a private key that others may read", async () => {
    await Deno.writeTextFile(project.path("key"), "");
    await Deno.chmod(project.path("key"), 0o644);
    const report = await examine({
      project,
      port,
      config: { ansible: { private_key_file: "key" } },
    });
    assertWrong(report, {
      warning: ["secrets"],
      says: /^private key open to others/,
    });
  });
  await t.step("no Ansible", async () => {
    const report = await examine({ project, port, env: { PATH: "/nowhere" } });
    assertWrong(report, {
      failed: ["ansible"],
      says: /^not found: there is no ansible-playbook in PATH \(.*\/nowhere\)$/,
    });
    assert.equal(report.of("launcher").status, "skipped");
  });
  await t.step("an Ansible that does not work", async () => {
    const directory = project.path("bin");
    await Deno.mkdir(directory);
    await Deno.writeTextFile(
      `${directory}/ansible-playbook`,
      "#!/bin/sh\necho no module named ansible >&2\nexit 1\n",
      { mode: 0o755 },
    );
    const report = await examine({ project, port, env: { PATH: directory } });
    assertWrong(report, {
      failed: ["ansible"],
      says: /ended with 1: no module named ansible$/,
    });
  });
  await t.step("a configuration that Ansible ignores", async () => {
    await project.write({ "ansible.cfg": "[defaults]\n" });
    await Deno.chmod(project.directory, 0o777);
    const report = await examine({ project, port });
    await Deno.chmod(project.directory, 0o755);
    assertWrong(report, {
      warning: ["ansible"],
      says: /^says at its start: .* world writable directory .*ansible\.cfg/,
    });
  });
  await t.step("a sandbox that does not allow Ansible", async () => {
    const report = await examine({
      project,
      port,
      arguments: (args) => args.filter((one) => !one.startsWith("--allow-run")),
    });
    assertWrong(report, {
      failed: ["ansible"],
      says: /^Deno's sandbox does not allow ansible-playbook to be run$/,
    });
  });
  await t.step("a sandbox that hides a file", async () => {
    const report = await examine({
      project,
      port,
      worker: { inventory_directory: "/usr" },
      arguments: (args) =>
        args.map((one) =>
          one === "--allow-read" ? `--allow-read=${project.path("")}` : one
        ),
    });
    assertWrong(report, {
      failed: ["configuration", "permissions", "inventories"],
      says: /inventory_directory: "\/usr" is hidden by Deno's sandbox/,
    });
    assert.deepEqual(
      report.of("permissions").advice[0],
      "Start the worker with --allow-read=/usr, to see whether an inventory is in its directory.",
    );
  });
});

function test(
  name: string,
  fn: (t: Deno.TestContext) => Promise<void>,
): void {
  Deno.test({
    name: `doctor: ${name}`,
    sanitizeOps: true,
    sanitizeResources: true,
    fn,
  });
}

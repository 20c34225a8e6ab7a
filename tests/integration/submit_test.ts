/**
 * `submit`, with a real broker and a real worker: in a pipe, in a terminal, and
 * everything that it can end with.
 */
import assert from "node:assert/strict";
import { Broker } from "../harness/broker.ts";
import { Client } from "../harness/client.ts";
import { at, inTerminal, Piped, run, work } from "../harness/client_program.ts";
import { localHosts, Project } from "../harness/project.ts";
import { Signer } from "../harness/signing.ts";
import type { Terminal } from "../harness/terminal.ts";
import { testsTogether } from "../harness/together.ts";
import { pause, until } from "../harness/waiting.ts";
import { Worker, type WorkerOptions } from "../harness/worker.ts";

/** Tests in one group: each has tasks of its own, and leaves none that runs. */
const test = testsTogether("submit");

/** Longer than what counts as one Ctrl-C, in milliseconds. */
const SAME_CTRL_C_MS = 150;

const BROKEN = `
- hosts: all
  gather_facts: false
  tasks:
    - name: look for it
      fail:
        msg: there is none
`;

test("in a pipe: lines, a recap, and 0", async ({ project, port }) => {
  const { code, stdout, stderr } = await run([
    ...work(project, "piped"),
    ...at(port),
  ]);
  assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
  const lines = stdout.trimEnd().split("\n");
  assert.equal(lines[0], "piped: work.yml on hosts");
  assert.equal(lines[1], "queued on w1");
  assert.match(lines.at(-2)!, /^success in \d+\.\d s on w1$/);
  assert.equal(
    lines.at(-1),
    "ok 1  changed 0  unreachable 0  failed 0  skipped 0  rescued 0  ignored 0",
  );
  assert.ok(!stdout.includes("\u001b"));
  const truth = (await project.truth()).filter(({ id }) => id === "piped");
  assert.deepEqual(truth.map(({ what }) => what), ["start", "end"]);
});

test("--json: the messages as they are, one a line", async ({ client, project, port }) => {
  const { code, stdout } = await run([
    ...work(project, "json"),
    "--json",
    ...at(port),
  ]);
  assert.equal(code, 0);
  const lines = stdout.trimEnd().split("\n").map((line) => JSON.parse(line));
  assert.deepEqual(lines.at(-1), await client.final("json"));
  assert.deepEqual(lines.map(({ state }) => state).at(0), "queued");
});

test("--detach: the id alone, and 0 as soon as a worker has it", async ({ client, project, port }) => {
  const { code, stdout, stderr } = await run([
    "submit",
    "work.yml",
    "-i",
    "hosts",
    "-e",
    `id=detached truth=${project.truthFile} seconds=60`,
    "--detach",
    ...at(port),
  ]);
  assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
  assert.match(stdout, /^\d{8}-\d{6}-[0-9a-f]{6}\n$/);
  await project.started("detached");
  await client.cancel(stdout.trim());
  assert.equal((await client.final(stdout.trim())).state, "cancelled");
});

test("what the options say is what arrives", async ({ client, project, port }) => {
  const file = project.path("vars.yml");
  await Deno.writeTextFile(file, "release: 1.10\nseconds: 0\n");
  const { code } = await run([
    ...work(project, "options", { seconds: 5 }),
    ...["-e", `@${file}`, "-e", "x='two words' y=2", "--limit", "h1"],
    ...["--tags", "a,b", "--tags", "all", "--skip-tags", "slow"],
    ...["--check", "--diff", "--forks", "3", "-vv", "--timeout", "599.5"],
    ...at(port),
  ]);
  assert.equal(code, 0);
  const { text } = await client.message(
    "the request",
    ({ topic, text }) =>
      topic === "ansible/test/tasks" && text.includes('"options"'),
  );
  // As text: 1.10 is not 1.1.
  assert.equal(
    text,
    JSON.stringify({
      task_id: "options",
      playbook: "work.yml",
      inventory: "hosts",
      extra_vars: {
        id: "options",
        truth: project.truthFile,
        seconds: 0,
        release: "1.10",
        x: "two words",
        y: "2",
      },
      limit: "h1",
      tags: ["a", "b", "all"],
      skip_tags: ["slow"],
      verbosity: 2,
      check_mode: true,
      diff_mode: true,
      forks: 3,
      timeout: 599.5,
    }).replace('"1.10"', "1.10"),
  );
});

test("several inventories are several in the request, and in the status", async ({ client, project, port }) => {
  await project.write({ "more/hosts": localHosts("h2") });
  const { code, stdout } = await run([
    ...work(project, "inventories"),
    ...["-i", "more/hosts"],
    ...at(port),
  ]);
  assert.equal(code, 0);
  assert.match(stdout, /^inventories: work.yml on hosts, more\/hosts\n/);
  const final = await client.final("inventories");
  assert.deepEqual(final.inventory, ["hosts", "more/hosts"]);
  assert.equal(final.tasks_ok, 2);
});

test("--retry runs it again where it failed", async ({ client, project, port }) => {
  await project.write({
    "three": localHosts(
      "h1",
      "h2",
      "h3",
      "lost ansible_connection=ssh " +
        "ansible_host=127.0.0.1 ansible_port=1",
    ),
    "some.yml": `
- hosts: all
  gather_facts: false
  tasks:
    - ping:
    - assert: { that: inventory_hostname not in broken }
`,
  });
  const broken = (
    ...names: string[]
  ) => ["-e", JSON.stringify({ broken: names })];
  const first = await run([
    ...["submit", "some.yml", "-i", "three", "-i", "h3,", "--id", "first"],
    ...broken("h1", "h3"),
    ...at(port),
  ]);
  assert.equal(first.code, 4, first.stderr);
  const { failed_hosts, unreachable_hosts } = await client.final("first");
  assert.deepEqual(failed_hosts.names.toSorted(), ["h1", "h3"]);
  assert.deepEqual(unreachable_hosts.names, ["lost"]);
  const retry = (id: string, ...more: string[]) =>
    run(["submit", "--retry", id, ...more, ...at(port)]);

  const again = await retry(
    "first",
    "--id",
    "again",
    ...broken("h3"),
    "--check",
  );
  assert.equal(again.code, 4, again.stderr);
  const { text } = await client.message(
    "the request",
    ({ topic, text }) =>
      topic === "ansible/test/tasks" && text.includes("again"),
  );
  const { limit, ...request } = JSON.parse(text);
  assert.deepEqual(request, {
    task_id: "again",
    playbook: "some.yml",
    inventory: ["three", "h3,"],
    extra_vars: { broken: ["h3"] },
    check_mode: true,
  });
  assert.deepEqual(limit.split(",").toSorted(), ["h1", "h3", "lost"]);
  assert.equal((await client.final("again")).tasks_ok, 3);

  await run([...work(project, "good"), ...at(port)]);
  await run([
    ...work(project, "long", { seconds: 600 }),
    "--detach",
    ...at(port),
  ]);
  for (
    const [args, says] of [
      [["nothing"], '--retry: no task "nothing" is known in ansible/test'],
      [["a/b"], "--retry: must be 1 to 128 characters"],
      [
        ["good"],
        "--retry: good ended as success, and names no host that has failed or was unreachable; to run all of it again, give its playbook and inventory",
      ],
      [["long"], "--retry: long is "],
      [
        ["first", "--limit", "h1"],
        "--limit: comes from the task, with --retry",
      ],
      [["first", "-i", "hosts"], "--inventory: comes from the task"],
      [["first", "some.yml"], "PLAYBOOK: comes from the task"],
    ] as const
  ) {
    const { code, stderr } = await retry(...args as unknown as [string]);
    assert.equal(code, 106, stderr);
    assert.ok(stderr.includes(says), stderr);
  }
  await client.cancel("long");
  await client.final("long");
});

test("how a task ends is the exit code", async ({ client, project, port }) => {
  await project.write({ "broken.yml": BROKEN });
  const ends: [number, string[], RegExp][] = [
    [
      2,
      ["submit", "broken.yml", "-i", "hosts", ...at(port)],
      /h1: failed at "look for it".*\nfailed in .* return code 2\n/,
    ],
    [
      100,
      ["submit", "nowhere.yml", "-i", "hosts", ...at(port)],
      /playbook "nowhere\.yml" was not found.*\nfailed on w1\n/,
    ],
    [
      102,
      [
        ...work(project, "slow", { seconds: 600 }),
        "--timeout",
        "1",
        ...at(port),
      ],
      /the time limit of 1 s was reached.*\ntimeout in .* on w1\n/,
    ],
  ];
  for (const [expected, args, says] of ends) {
    const { code, stdout, stderr } = await run(args);
    assert.deepEqual({ code, stderr }, { code: expected, stderr: "" }, stdout);
    assert.match(stdout, says);
  }
  await using command = new Piped([
    ...work(project, "ended", { seconds: 600 }),
    ...at(port),
  ]);
  await project.started("ended");
  await client.cancel("ended", "enough");
  assert.equal(await command.exited, 101);
  assert.match(command.stdout, /cancelled: enough/);
});

test("a rejection is told with its reasons: 103", async ({ client, project, port }) => {
  await using first = new Piped([
    ...work(project, "twice", { seconds: 600 }),
    ...at(port),
  ]);
  await project.started("twice");
  const { code, stdout, stderr } = await run([
    ...work(project, "twice", { seconds: 600 }),
    ...at(port),
  ]);
  assert.equal(code, 103);
  assert.equal(stdout, "twice: work.yml on hosts\n");
  assert.equal(
    stderr,
    "rejected by w1: duplicate\n  task_id: this task is already running (worker w1)\n",
  );
  const json = await run([
    ...work(project, "twice"),
    "--json",
    ...at(port),
  ]);
  assert.equal(json.code, 103);
  assert.equal(JSON.parse(json.stdout).reason, "duplicate");
  // The rejection of a copy ends nobody who follows the task.
  first.interrupt();
  assert.equal(await first.exited, 130);
  assert.match(
    first.stderr,
    /^left; the task goes on\. To see it: ansible-worker watch twice\n$/,
  );
  await client.cancel("twice");
  await client.final("twice");
});

testAlone(
  "signed with a key that the group trusts, and with none",
  async ({ project, port, signer }) => {
    const key = project.path("key.jwk");
    const other = project.path("other.jwk");
    await Deno.writeTextFile(key, signer!.privateJwk);
    const { stdout: made } = await run(["keygen", "--id", "stranger"]);
    await Deno.writeTextFile(other, made);
    const args = (id: string) => [...work(project, id), ...at(port)];
    const good = await run([...args("signed"), "--key", key]);
    assert.equal(good.code, 0, good.stderr);
    const none = await run(args("unsigned"));
    assert.equal(none.code, 103);
    assert.match(none.stderr, /^rejected by w1: unsigned\n {2}is not signed; /);
    const bad = await run([...args("stranger"), "--key", other]);
    assert.equal(bad.code, 103);
    assert.match(bad.stderr, /^rejected by w1: bad_signature\n/);
    const wrong = await run([...args("wrong"), "--key", project.truthFile]);
    assert.equal(wrong.code, 106);
    assert.match(wrong.stderr, /^--key: ".*" is not a private key/);

    await using running = new Piped([
      ...work(project, "to-cancel", { seconds: 600 }),
      "--key",
      key,
      ...at(port),
    ]);
    await project.started("to-cancel");
    const denied = await run(["cancel", "to-cancel", ...at(port)]);
    assert.equal(denied.code, 1);
    assert.match(
      denied.stderr,
      /^to-cancel: the cancel was rejected by w1: is not signed; /,
    );
    const done = await run([
      ...["cancel", "to-cancel", "--reason", "enough", "--key", key],
      ...at(port),
    ]);
    assert.equal(done.code, 0, done.stderr);
    assert.match(
      done.stdout,
      /^to-cancel: cancelled in \S+ s on w1 \(enough, at "work"\)\n$/,
    );
    assert.equal(await running.exited, 101);
  },
  { signed: true },
);

testAlone(
  "nobody is there to take it: 104, and which case it is",
  async ({ project, port, worker }) => {
    const empty = await run([
      ...work(project, "nobody"),
      ...at(port),
      "--group",
      "empty",
    ]);
    assert.equal(empty.code, 104);
    assert.match(
      empty.stderr,
      /^no worker has ever been seen in ansible\/empty\./,
    );
    assert.equal(await worker.stop(), 0);
    const offline = await run([...work(project, "offline"), ...at(port)]);
    assert.equal(offline.code, 104);
    assert.match(
      offline.stderr,
      /^no worker of ansible\/test is online: w1 is offline\. .*"ansible-worker cancel offline" prevents that\.\n$/,
    );
  },
);

test("the broker says that nobody is subscribed: 104 at once", async ({ project, port }) => {
  await using broker = new Outspoken(port);
  const { code, stderr } = await run([
    ...work(project, "lost"),
    ...at(broker.port),
    ...["--group", "empty"],
  ]);
  assert.equal(code, 104);
  assert.match(
    stderr,
    /^the broker says that nobody is subscribed to ansible\/empty\/tasks: the request is lost\./,
  );
});

testAlone(
  "all workers are full: it waits, and is run then",
  async ({ client, project, port }) => {
    // One runs, one waits in the queue.
    for (const id of ["first", "second"]) {
      await client.submit(project.work(id, { seconds: 600 }));
    }
    await project.started("first");
    await client.status("second", ({ state }) => state === "queued");
    await using command = new Piped([...work(project, "third"), ...at(port)]);
    await command.shows(
      /w1 is busy, and its queue is full; the task waits with the broker/,
    );
    await client.cancel("first");
    await client.cancel("second");
    assert.equal(await command.exited, 0);
  },
  { worker: { when_full: "wait", max_queue_size: 1 } },
);

Deno.test({
  name: "submit: no connection to the broker: 105; a wrong command line: 106",
  sanitizeOps: true,
  sanitizeResources: true,
  async fn() {
    const args = ["submit", "site.yml", "-i", "hosts"];
    // No broker of another test can be given this one.
    const place = at(1);
    const lost = await run([...args, ...place]);
    assert.equal(lost.code, 105);
    assert.match(
      lost.stderr,
      /^Cannot connect to the broker at 127\.0\.0\.1:\d+: .*ECONNREFUSED/,
    );
    for (
      const [wrong, says] of [
        [["submit", "site.yml"], "--inventory: is required"],
        [
          ["submit", "-i", "hosts"],
          "PLAYBOOK: is required, or --template or --retry in its place",
        ],
        [[...args, "--follow", "--detach"], "cannot be used with"],
        [[...args, "--nope"], "unknown option '--nope'"],
        [[...args, "--id", "a b"], "--id: must be 1 to 128 characters"],
        [[...args, "--forks", "many"], "--forks: must be a number"],
        [[...args, "-e", "x"], '--extra-vars: "x" is not NAME=VALUE'],
        [[...args, "--key", "/nowhere"], '--key: cannot read "/nowhere"'],
        [[...args, "--port", "0"], "--port: must be a whole number"],
        [
          [...args, "--username", "u", "--password-env", "SECRET"],
          "--password-env: the variable SECRET is hidden by Deno's sandbox; start this with --allow-env=SECRET",
        ],
      ] as const
    ) {
      const { code, stdout, stderr } = await run([
        ...wrong,
        ...place.slice(0, 2),
      ], {
        env: { SECRET: "hunter2" },
      });
      assert.deepEqual({ code, stdout }, { code: 106, stdout: "" }, stderr);
      assert.ok(stderr.includes(says), stderr);
    }
  },
});

for (
  const [columns, env] of [
    [80, { NO_COLOR: "1" }],
    [40, { NO_COLOR: "1" }],
    [132, {}],
  ] as const
) {
  test(`in a terminal of ${columns} columns: a bar, then a recap`, async ({ client, project, port }) => {
    const id = `bar-${columns}`;
    await using terminal = inTerminal(
      [...work(project, id, { seconds: 600 }), "-f", "1", ...at(port)],
      { columns, env },
    );
    await terminal.shows(/[━─]{8}.* {2}running {2}0\/1 {2}\S+ s\nok 0\nwork/);
    fits(terminal, columns);
    await client.cancel(id, "enough");
    assert.equal(await terminal.exited, 101);
    assert.match(
      terminal.text,
      /^bar-\d+: work\.yml on hosts\ncancelled: enough/,
    );
    assert.match(terminal.text, /\nok 0 {2}changed 0/);
    // Drawn again and again, and taken away at the end.
    assert.doesNotMatch(terminal.text, /[━─]/);
    // deno-lint-ignore no-control-regex
    assert.equal(/\u001b\[\d+m/.test(terminal.raw), !("NO_COLOR" in env));
  });
}

test("failures appear as they happen, and are not told again", async ({ client, project, port }) => {
  await using terminal = inTerminal(
    [...work(project, "events", { seconds: 600 }), ...at(port)],
    { columns: 60, env: { NO_COLOR: "1" } },
  );
  await project.started("events");
  // A status that knows of no play task takes away what an event has said.
  await terminal.shows(/running.*\nok 0\nwork$/m);
  const event = {
    task_id: "events",
    time: new Date().toISOString(),
    play: "all",
    task: "look \u001b[2J for \u202eit",
    duration_seconds: 0.1,
    left_out: 0,
  };
  const publish = (more: Record<string, unknown>) =>
    client.publish(
      `${client.base}/tasks/events/events`,
      JSON.stringify({ ...event, ...more }),
    );
  await publish({
    seq: 1,
    event: "task_start",
    host: null,
    state: null,
    changed: null,
    duration_seconds: null,
    message: null,
  });
  await terminal.shows(/running.*\nok 0\nall: look \\u001b\[2J for \\u202eit/);
  await publish({
    seq: 2,
    event: "result",
    host: "h7",
    state: "failed",
    changed: false,
    message: "no such file",
  });
  await terminal.shows(
    /failed: h7: look \\u001b\[2J for \\u202eit: no such file\n[━─]+ {2}running/,
  );
  fits(terminal, 60);
  await client.cancel("events");
  assert.equal(await terminal.exited, 101);
  assert.match(terminal.text, /failed: h7: look .*: no such file\ncancelled/);
});

test("Ctrl-C asks: cancel, leave, or go on", async ({ client, project, port }) => {
  const follow = async (id: string) => {
    const terminal = inTerminal(
      [...work(project, id, { seconds: 600 }), ...at(port)],
      { env: { NO_COLOR: "1" } },
    );
    await terminal.shows(/running/);
    await terminal.type("\x03");
    await terminal.shows(/c: cancel the task; l: leave, it goes on/);
    return terminal;
  };
  {
    await using terminal = await follow("to-cancel");
    const asked = performance.now();
    await terminal.type("x");
    await terminal.hides(/c: cancel the task/);
    // What comes so soon after the first would count as the same; and a third
    // one would leave.
    await pause((asked + SAME_CTRL_C_MS - performance.now()) / 1000);
    await terminal.type("\x03");
    await terminal.shows(/c: cancel the task/);
    await terminal.type("c");
    assert.equal(await terminal.exited, 101);
    assert.match(terminal.text, /cancelled: by its submitter/);
  }
  {
    await using terminal = await follow("to-leave");
    await terminal.type("l");
    assert.equal(await terminal.exited, 130);
    assert.match(terminal.text, /left; the task goes on/);
    assert.doesNotMatch(terminal.text, /[━─]/);
    await client.cancel("to-leave");
    await client.final("to-leave");
  }
  {
    await using terminal = await follow("to-leave-at-once");
    // What comes at the same moment counts as one, so like a person: again.
    await until("the end", async () => {
      if (terminal.text.includes("left")) return true;
      await terminal.type("\x03");
      return false;
    });
    assert.equal(await terminal.exited, 130);
    await client.cancel("to-leave-at-once");
    await client.final("to-leave-at-once");
  }
});

test("SIGTERM and SIGHUP leave; with --cancel-on-signal they cancel", async ({ client, project, port }) => {
  await using left = new Piped([
    ...work(project, "left", { seconds: 60 }),
    ...at(port),
  ]);
  await left.shows(/running/);
  await using hungUp = new Piped([...work(project, "hung-up"), ...at(port)]);
  await hungUp.shows(/queued on w1/);
  for (
    const [command, signal, id] of [
      [hungUp, "SIGHUP", "hung-up"],
      [left, "SIGTERM", "left"],
    ] as const
  ) {
    command.signal(signal);
    assert.equal(await command.exited, 130);
    assert.equal(
      command.stderr,
      `left; the task goes on. To see it: ansible-worker watch ${id}\n`,
    );
  }
  await client.cancel("left");
  assert.equal((await client.final("hung-up")).state, "success");
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    await using command = new Piped([
      ...work(project, signal, { seconds: 60 }),
      "--cancel-on-signal",
      ...at(port),
    ]);
    await command.shows(/running/);
    command.signal(signal);
    assert.equal(await command.exited, 101);
    assert.match(command.stdout, /cancelled: by its submitter/);
  }
});

testAlone(
  "the broker comes back: it goes on following",
  async ({ broker, project, port, client }) => {
    await using command = new Piped([
      ...work(project, "lost", { seconds: 600 }),
      ...at(port),
    ]);
    await command.shows(/running/);
    await broker.kill();
    await command.shows(/no connection to the broker: .*; trying again/);
    await broker.start();
    await client.status("lost", ({ state }) => state === "running");
    await until("the cancel's effect", async () => {
      await client.cancel("lost");
      return client.history("lost").some(({ state }) => state === "cancelled");
    });
    assert.equal(await command.exited, 101);
  },
);

/**
 * A broker that says of QoS 2 messages that nobody is subscribed to them, as
 * MQTT 5 lets it (3.5.2.1) and mosquitto does not.
 */
class Outspoken implements AsyncDisposable {
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #serving: Promise<void>;

  constructor(port: number) {
    this.#serving = this.#serve(port);
  }

  get port(): number {
    return this.#listener.addr.port;
  }

  async #serve(port: number): Promise<void> {
    const client = await this.#listener.accept();
    const broker = await Deno.connect({ hostname: "127.0.0.1", port });
    const says = new TransformStream<Uint8Array, Uint8Array>({
      transform(bytes, controller) {
        // PUBREC without a reason code, which then is 0.
        const at = bytes.findIndex((byte, i) =>
          byte === 0x50 && bytes[i + 1] === 2 && i + 4 <= bytes.length
        );
        controller.enqueue(
          at < 0 ? bytes : new Uint8Array([
            ...bytes.subarray(0, at + 1),
            3,
            ...bytes.subarray(at + 2, at + 4),
            0x10,
            ...bytes.subarray(at + 4),
          ]),
        );
      },
    });
    await Promise.all([
      client.readable.pipeTo(broker.writable),
      broker.readable.pipeThrough(says).pipeTo(client.writable),
    ]).catch(() => {});
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    await this.#serving;
  }
}

/** Asserts that nothing is wider than the terminal. */
function fits(terminal: Terminal, columns: number): void {
  for (const line of terminal.lines) assert.ok(line.length < columns, line);
}

interface Setting {
  broker: Broker;
  client: Client;
  port: number;
  project: Project;
  worker: Worker;
}

/** A test in a group of its own, since it needs another one or breaks it. */
function testAlone(
  name: string,
  fn: (setting: Setting & { signer: Signer | null }) => Promise<void>,
  { signed = false, ...options }:
    & { signed?: boolean }
    & Partial<WorkerOptions> = {},
): void {
  Deno.test({
    name: `submit: ${name}`,
    sanitizeOps: true,
    sanitizeResources: true,
    async fn() {
      await using broker = await Broker.start();
      await using project = await Project.create();
      const signer = signed ? await Signer.create("controller") : null;
      const pem = project.path("controller.pem");
      if (signer) await Deno.writeTextFile(pem, signer.pem);
      await using worker = await Worker.start({
        project,
        port: broker.port,
        ...(signer && {
          config: {
            security: { trusted_keys: [{ id: signer.id, file: pem }] },
          },
        }),
        ...options,
      });
      await using client = await Client.connect(broker.port);
      await fn({ broker, client, port: broker.port, project, signer, worker });
    },
  });
}

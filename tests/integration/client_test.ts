/**
 * `watch`, `tasks`, `workers`, `cancel` and `output`, with a real broker and a
 * real worker: in a pipe and in terminals of several sizes.
 */
import assert from "node:assert/strict";
import { clientArguments } from "../../dev/programs.ts";
import { Broker } from "../harness/broker.ts";
import { Client } from "../harness/client.ts";
import { at, inTerminal, Piped, run } from "../harness/client_program.ts";
import { finalStatus } from "../harness/final_status.ts";
import { Project } from "../harness/project.ts";
import type { Terminal } from "../harness/terminal.ts";
import { testsTogether } from "../harness/together.ts";
import { nothingHeld } from "../harness/verdict.ts";
import { pause, until, within } from "../harness/waiting.ts";
import { Worker } from "../harness/worker.ts";

/** Tests in one group: each has tasks of its own, and leaves none that runs. */
const test = testsTogether("client");

test("tasks and workers: as tables and as messages", async ({ client, port, project }) => {
  await client.publish(`${client.base}/tasks/old/status`, finalStatus("old"), {
    retain: true,
  });
  const final = await client.run(project.work("new"));
  const tasks = await run(["tasks", ...at(port)]);
  assert.deepEqual({ ...tasks, stdout: "" }, {
    code: 0,
    stdout: "",
    stderr: "",
  });
  const [head, old, now, end] = tasks.stdout.split("\n");
  assert.match(
    head!,
    /^TASK {2}STATE {4}DONE {2}TIME {5}WORKER {2}PLAYBOOK {2}CREATED {15}NOW$/,
  );
  assert.equal(
    old,
    "old   success  3/3   1:02:05  w9      site.yml  2026-05-04 12:00:00Z",
  );
  const [, time = ""] =
    /^new {3}success {2}1\/1 {3}(\d+\.\d s +)w1 {6}work\.yml /.exec(now!) ?? [];
  assert.equal(time.length, "1:02:05  ".length, now!);
  assert.equal(end, "");
  const messages = await run(["tasks", "--json", ...at(port)]);
  assert.deepEqual(
    messages.stdout.trimEnd().split("\n").map((line) => JSON.parse(line)),
    [JSON.parse(finalStatus("old")), final],
  );

  // Its slot is free a moment after the final status.
  await nothingHeld(client, port, ["w1"]);
  const workers = await run(["workers", ...at(port)]);
  assert.equal(workers.code, 0);
  assert.match(
    workers.stdout,
    /^WORKER {2}STATE {3}FREE {2}WAITING .*\nw1 {6}online {2}1\/1 {3}0 .*Z\n$/,
  );
  const presences = await run(["workers", "--json", ...at(port)]);
  assert.equal(
    presences.stdout.trimEnd(),
    await client.retained(port, `${client.base}/workers/w1/status`),
  );
});

test("nothing to list is said", async ({ port }) => {
  const place = [...at(port), "--group", "empty"];
  assert.deepEqual(await run(["tasks", ...place]), {
    code: 0,
    stdout: "",
    stderr: "no task is known in ansible/empty\n",
  });
  const { code, stderr } = await run(["workers", ...place]);
  assert.equal(code, 0);
  assert.match(stderr, /^no worker has ever been seen in ansible\/empty; /);
});

test("more tasks than a broker queues are all listed", async ({ client, port }) => {
  const ids = Array.from({ length: 1500 }, (_, i) => `t${i}`);
  await Promise.all(
    ids.map((id) =>
      client.publish(`ansible/many/tasks/${id}/status`, finalStatus(id), {
        retain: true,
      })
    ),
  );
  const { stdout } = await run(["tasks", "--json", ...at(port, "many")]);
  assert.equal(stdout.trimEnd().split("\n").length, ids.length);
});

test("what others have written cannot control a terminal", async ({ client, port }) => {
  await client.publish(
    `${client.base}/tasks/hostile/status`,
    finalStatus("hostile", {
      playbook: "\u001b]0;title\u0007.yml",
      error_message: "\u202eevil\u009b2J\r\nnext",
      state: "failed",
    }),
    { retain: true },
  );
  for (const columns of [40, 80, 200]) {
    for (const args of [["tasks"], ["tasks", "--json"], ["watch", "hostile"]]) {
      await using terminal = inTerminal([...args, ...at(port)], {
        columns,
        env: { NO_COLOR: "1" },
      });
      assert.equal(await terminal.exited, args[0] === "watch" ? 100 : 0);
      // What is left are the program's own ways to draw again.
      const rest = terminal.raw.replaceAll("\r", "").replaceAll(OWN, "");
      assert.match(rest, /^[\n\x20-\x7e…]*$/);
      assert.match(rest, /hostile/);
    }
  }
});

test("tables fit their terminals, and have colours only where they are wanted", async ({ client, port }) => {
  const long = "20260504-120000-ab12cd";
  await client.publish(
    `${client.base}/tasks/${long}/status`,
    finalStatus(long, {
      state: "failed",
      playbook: "a/very/long/way/to/a/playbook.yml",
      error_message: "h1: failed ".repeat(20),
    }),
    { retain: true },
  );
  for (const columns of [40, 80, 160]) {
    for (const command of ["tasks", "workers"]) {
      for (const env of [{ NO_COLOR: "1" }, {}, { TERM: "dumb" }]) {
        await using terminal = inTerminal([command, ...at(port)], {
          columns,
          env: env as Record<string, string>,
        });
        assert.equal(await terminal.exited, 0);
        fits(terminal, columns);
        if (command === "tasks") assert.ok(terminal.text.includes(long));
        const wants = Object.keys(env).length === 0;
        assert.equal(COLOUR.test(terminal.raw), wants);
      }
    }
  }
});

for (const [columns, rows] of [[80, 24], [40, 10], [120, 8]] as const) {
  testAlone(
    `watch in a terminal of ${columns} x ${rows}: a table that is drawn again, until Ctrl-C`,
    async ({ client, port, project }) => {
      await client.publish(
        `${client.base}/tasks/old/status`,
        finalStatus("old"),
        {
          retain: true,
        },
      );
      await using terminal = inTerminal(["watch", ...at(port)], {
        columns,
        rows,
        env: { NO_COLOR: "1" },
      });
      await terminal.shows(/^ansible\/test: 1 worker online, 0 run/);
      await terminal.shows(/\nTASK .*\nold +success/);
      await client.submit(project.work("first", { seconds: 600 }));
      await terminal.shows(/\nfirst +running/);
      const waiting = Array.from({ length: 12 }, (_, i) => `waiting-${i}`);
      for (const id of waiting) await client.submit(project.work(id));
      if (rows < 16) await terminal.shows(/\n… and \d+ more\n$/);
      else await terminal.shows(/\nwaiting-11 +queued/);
      fits(terminal, columns);
      assert.ok(terminal.lines.length <= rows, terminal.text);
      await terminal.resize(60, rows);
      for (const id of waiting) await client.cancel(id);
      await client.cancel("first");
      await terminal.shows(
        /^ansible\/test: 1 worker online, 0 running, 0 queued\n/,
      );
      // Nothing of what stood there is left.
      assert.equal(terminal.text.split("ansible/test:").length, 2);
      fits(terminal, 60);
      await terminal.type("\x03");
      assert.equal(await terminal.exited, 0);
    },
  );
}

test("watch in a pipe: a line for each change, until those that are named have ended", async ({ client, port, project }) => {
  await client.publish(`${client.base}/tasks/old/status`, finalStatus("old"), {
    retain: true,
  });
  await using all = new Piped(["watch", ...at(port)]);
  await using json = new Piped(["watch", "two", "--json", ...at(port)]);
  await using named = new Piped(["watch", "one", "two", ...at(port)]);
  await named.shows(/one is not known yet; waiting for it\ntwo is not known/);
  await json.shows(/two is not known yet; waiting for it/);
  await all.shows(/no task is active in ansible\/test; waiting/);
  await client.submit(project.work("zero"));
  await all.shows(/zero {2}success/);
  await client.submit(project.work("one"));
  await client.submit(project.work("two"));
  assert.equal(await named.exited, 0);
  assert.equal(await json.exited, 0);
  const final = await client.final("two");
  const lines = json.stdout.trimEnd().split("\n").map((line) =>
    JSON.parse(line)
  );
  assert.deepEqual(lines.at(-1), final);
  assert.match(named.stdout, /^one {2}queued {2}- {2}- {2}w1\n/);
  assert.match(
    named.stdout,
    /\ntwo {2}success {2}1\/1 {2}\S+ s {2}w1 {2}ok 1\n$/,
  );
  assert.doesNotMatch(named.stdout, /zero/);
  await all.shows(/two {2}success/);
  all.interrupt();
  assert.equal(await all.exited, 0);
  // What had ended before is no news.
  assert.doesNotMatch(all.stdout, /old/);
});

test("watch with names ends as submit would, with 130 at Ctrl-C, and when its reader does", async ({ client, port, project }) => {
  await project.write({ "fails.yml": "- hosts: all\n  tasks: [{ fail: }]\n" });
  await client.run(project.work("good"));
  await client.run({ ...project.work("bad"), playbook: "fails.yml" });
  await client.run({ ...project.work("refused"), playbook: "none.yml" });
  await client.submit(project.work("on", { held: true }));
  await project.started("on");
  const watch = (...ids: string[]) => ["watch", ...ids, ...at(port)];
  await using interrupted = new Piped(watch("on"));
  await using terminated = new Piped(watch("good", "on"));
  const [good, bad, refused, several] = await Promise.all([
    run(watch("good")),
    run(watch("bad")),
    run(watch("refused")),
    run(watch("good", "bad")),
  ]);
  assert.deepEqual(
    [good.code, bad.code, refused.code, several.code],
    [0, 2, 100, 2],
  );
  await interrupted.shows(/on {2}running/);
  interrupted.interrupt();
  assert.equal(await interrupted.exited, 130);

  // All statuses of it but the last are written while it runs.
  const piped = (words: string[], reader: string) =>
    new Deno.Command("sh", {
      args: [
        "-c",
        `{ "$@"; echo "ended with $?" >&2; } | ${reader}`,
        "sh",
        Deno.execPath(),
        ...clientArguments(),
        ...words,
      ],
      stdin: "null",
    }).output();
  const unread = piped(["watch", "--json", ...at(port)], "head -1");
  const output = piped(["output", "on", ...at(port)], "grep -m1 one");
  const piece = {
    task_id: "on",
    stream: "stdout",
    truncated: false,
    left_out: 0,
  };
  let seq = 0;
  const stop = new AbortController();
  const more = (async () => {
    while (!stop.signal.aborted) {
      await client.publish(
        `${client.base}/tasks/on/output`,
        JSON.stringify({ ...piece, seq: ++seq, text: "one\n" }),
      );
      await client.publish(
        `${client.base}/tasks/other/status`,
        finalStatus("other", {
          state: "running",
          completed_at: null,
          tasks_ok: seq,
        }),
      );
      await pause(0.1);
    }
  })();
  for (const one of [unread, output]) {
    const { stdout, stderr } = await within("the end of a reader", one);
    assert.equal(new TextDecoder().decode(stdout).split("\n").length, 2);
    assert.match(new TextDecoder().decode(stderr), /ended with 141\n$/);
  }
  stop.abort();
  await more;
  await client.cancel("on");
  assert.equal(await terminated.exited, 101);
});

test("cancel: what became of each", async ({ client, port, project }) => {
  await client.run(project.work("over"));
  await client.submit(project.work("running", { seconds: 600 }));
  await client.submit(project.work("waiting"));
  await project.started("running");
  await client.status("waiting", ({ state }) => state === "queued");
  const { code, stdout, stderr } = await run([
    ...["cancel", "over", "running", "waiting", "unknown", "running"],
    ...["--reason", "wrong release", ...at(port)],
  ]);
  assert.equal(code, 1);
  assert.deepEqual(stdout.trimEnd().split("\n").sort().map(withoutTimes), [
    'running: cancelled in N s on w1 (wrong release, at "work")',
    "waiting: cancelled on w1 (wrong release)",
  ]);
  assert.deepEqual(stderr.trimEnd().split("\n").map(withoutTimes), [
    "over: has ended already: success in N s on w1",
    "unknown: no worker of ansible/test has published a status of it; if its request arrives within a minute, it is cancelled",
  ]);
  const again = await run(["cancel", "waiting", "--json", ...at(port)]);
  assert.equal(again.code, 0);
  assert.deepEqual(JSON.parse(again.stdout), await client.final("waiting"));
  // It was cancelled before it came.
  await client.submit(project.work("unknown"));
  assert.equal((await client.final("unknown")).state, "cancelled");
});

testAlone(
  "cancel: the worker that has it is offline",
  async ({ client, port, project, worker }) => {
    await client.submit(project.work("running", { seconds: 600 }));
    await client.submit(project.work("waiting"));
    await client.status("waiting", ({ state }) => state === "queued");
    assert.equal(await worker.stop(), 0);
    const { code, stderr } = await run(["cancel", "waiting", ...at(port)]);
    assert.equal(code, 1);
    assert.equal(
      stderr,
      "waiting: queued on w1, which is offline; the broker keeps the cancel for it, if it keeps its session\n",
    );
  },
);

test("output: each stream to its own, until the end", async ({ client, port, project }) => {
  await client.submit(project.work("printing", { seconds: 600 }));
  await project.started("printing");
  await using piped = new Piped(["output", "printing", ...at(port)]);
  await using json = new Piped(["output", "printing", "--json", ...at(port)]);
  await using terminal = inTerminal(["output", "printing", ...at(port)]);
  const pieces = [
    { seq: 1, stream: "stdout", text: "one \u001b[0;32mgreen\u001b[0m\n" },
    { seq: 2, stream: "stderr", text: "a warning\n" },
    { seq: 2, stream: "stderr", text: "a warning\n" },
    { seq: 3, stream: "stdout", text: "\u001b]0;title\u0007\ttab \u202e\n" },
  ].map((piece) => ({
    task_id: "printing",
    truncated: false,
    left_out: 0,
    ...piece,
  }));
  const publish = (piece: unknown) =>
    client.publish(
      `${client.base}/tasks/printing/output`,
      JSON.stringify(piece),
    );
  // Whoever comes later misses what was before.
  const first = JSON.stringify(pieces[0]);
  await until("all readers", async () => {
    await client.publish(`${client.base}/tasks/printing/output`, first);
    return piped.stdout !== "" && json.stdout !== "" && terminal.raw !== "";
  });
  for (const piece of pieces.slice(1)) await publish(piece);
  await publish({ ...pieces[0], seq: 6, text: "last", truncated: true });
  await client.cancel("printing");
  assert.equal(await piped.exited, 1);
  assert.equal(
    piped.stdout,
    "one \u001b[0;32mgreen\u001b[0m\n\u001b]0;title\u0007\ttab \u202e\nlast",
  );
  assert.equal(
    piped.stderr,
    "a warning\n2 pieces of the output are missing here\n",
  );
  assert.equal(await json.exited, 1);
  assert.deepEqual(
    json.stdout.trimEnd().split("\n").map((line) => JSON.parse(line).seq),
    [1, 2, 3, 6],
  );
  assert.equal(await terminal.exited, 1);
  assert.equal(
    terminal.raw.replaceAll("\r\n", "\n"),
    "one green\na warning\n\\u001b]0;title\\u0007\ttab \\u202e\n2 pieces of the output are missing here\nlast",
  );
});

test("output: there is none, and what to do about it", async ({ client, port, project }) => {
  await using command = new Piped(["output", "silent", ...at(port)]);
  await command.shows(/^silent is not known yet; waiting for it\n/);
  await client.submit(project.work("silent"));
  assert.equal(await command.exited, 1);
  assert.equal(
    command.stderr.split("\n")[1],
    "silent has ended, and w1 has published nothing of what it printed; worker.publish_output: true in its configuration switches that on",
  );
  const late = await run(["output", "silent", ...at(port)]);
  assert.deepEqual(late, {
    code: 1,
    stdout: "",
    stderr:
      "silent has ended already (success); its output was published while it ran, and is not kept\n",
  });
});

test("a worker's configuration serves a client that sees nothing else of it", async ({ port, project }) => {
  const file = project.path("config.yaml");
  await Deno.writeTextFile(
    file,
    `mqtt:
  host: "\${MQTT_HOST}"
  port: ${port}
worker:
  group_name: test
  playbook_directory: /nowhere
  worker_id: "\${NOBODY_KNOWS}"
  a_key_of_tomorrow: 1
ansible:
  vault_password: "\${NOBODY_KNOWS}"
security:
  trusted_keys: [{ id: controller, file: /nowhere.pem }]
`,
  );
  const env = { MQTT_HOST: "127.0.0.1" };
  for (const args of [["-c", file, "workers"], ["workers", "-c", file]]) {
    const { code, stdout, stderr } = await run(args, { env });
    assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
    assert.match(stdout, /\nw1 /);
  }
  const other = await run(["workers", "-c", file, "--group", "other"], { env });
  assert.match(other.stderr, /no worker has ever been seen in ansible\/other/);
  await Deno.writeTextFile(file, "mqtt: { host: a/b, prot: 1 }\nworker: {}\n");
  const wrong = await run(["tasks", "-c", file, "--ca", "/nowhere.pem"]);
  assert.equal(wrong.code, 1);
  assert.equal(
    wrong.stderr,
    `--ca: there is no file "/nowhere.pem"
${file}:1:15: mqtt.host: must be only the name or the address of the broker: no mqtt://, no user, no port, no brackets
${file}:1:20: mqtt.prot: is not a key; did you mean mqtt.port?
${file}:2:1: worker.group_name: is required
`,
  );
});

Deno.test({
  name: "client: user name and password, and what the broker says of others",
  sanitizeOps: true,
  sanitizeResources: true,
  async fn() {
    await using project = await Project.create();
    const passwords = project.path("passwords");
    const made = await new Deno.Command("mosquitto_passwd", {
      args: ["-b", "-c", passwords, "operator", "hunter2"],
    }).output();
    assert.ok(made.success);
    await using broker = await Broker.start({
      extra: ["allow_anonymous false", `password_file ${passwords}`],
    });
    const args = ["tasks", ...at(broker.port), "--username", "operator"];
    const env = { MQTT_SECRET: "hunter2", MQTT_WRONG: "hunter3" };
    const good = await run([...args, "--password-env", "MQTT_SECRET"], { env });
    assert.equal(good.code, 0, good.stderr);
    const wrong = await run([...args, "--password-env", "MQTT_WRONG"], { env });
    assert.equal(wrong.code, 1);
    assert.match(
      wrong.stderr,
      /refused the connection: not authorized \(mqtt\.username, mqtt\.password\)/,
    );
    const nobody = await run(["tasks", ...at(broker.port)]);
    assert.equal(nobody.code, 1);
    assert.match(nobody.stderr, /it may want a user name and a password/);
    assert.ok(!wrong.stderr.includes("hunter"));
  },
});

Deno.test({
  name: "client: no connection to the broker: 1, and why",
  sanitizeOps: true,
  sanitizeResources: true,
  async fn() {
    // Nobody is given this one while the test goes on.
    const place = at(1);
    for (
      const args of [
        ["tasks"],
        ["workers"],
        ["watch"],
        ["cancel", "a"],
        ["output", "a"],
      ]
    ) {
      const { code, stdout, stderr } = await run([...args, ...place]);
      assert.deepEqual({ code, stdout }, { code: 1, stdout: "" });
      assert.match(stderr, /^Cannot connect to the broker at 127.0.0.1:\d+: /);
    }
    const wrong = await run(["cancel", "a/b", ...place]);
    assert.equal(wrong.code, 1);
    assert.match(wrong.stderr, /^"a\/b" is no task id: must be 1 to 128/);
    assert.equal((await run(["cancel", ...place])).code, 2);
  },
});

// deno-lint-ignore no-control-regex
const OWN = /\u001b\[(\d+A|J)/g;

// deno-lint-ignore no-control-regex
const COLOUR = /\u001b\[\d+m/;

function fits(terminal: Terminal, columns: number): void {
  for (const line of terminal.lines) {
    assert.ok([...line].length <= columns, `${columns}: ${line}`);
  }
}

function withoutTimes(text: string): string {
  return text.replace(/\d+\.\d s/, "N s");
}

interface Setting {
  client: Client;
  port: number;
  project: Project;
  worker: Worker;
}

/** A test in a group of its own, since it needs an empty one or breaks it. */
function testAlone(
  name: string,
  fn: (setting: Setting) => Promise<void>,
): void {
  Deno.test({
    name: `client: ${name}`,
    sanitizeOps: true,
    sanitizeResources: true,
    async fn() {
      await using broker = await Broker.start();
      await using project = await Project.create();
      await using worker = await Worker.start({ project, port: broker.port });
      await using client = await Client.connect(broker.port);
      await fn({ client, port: broker.port, project, worker });
    },
  });
}

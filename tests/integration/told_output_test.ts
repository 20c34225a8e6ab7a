import assert from "node:assert/strict";
import {
  MAX_OUTPUT_MESSAGE_BYTES,
  outputSchema,
  type TaskOutput,
} from "../../src/messages/output.ts";
import { eventSchema } from "../../src/messages/event.ts";
import { Broker } from "../harness/broker.ts";
import { Client } from "../harness/client.ts";
import { localHosts, Project } from "../harness/project.ts";
import { until } from "../harness/waiting.ts";
import { Worker } from "../harness/worker.ts";

const options = { sanitizeOps: true, sanitizeResources: true };

const OUTPUT = { publish_output: true };

/** A plugin of the user's that prints so many MB, as fast as it can. */
const LOUD = `
import os
from ansible.plugins.callback import CallbackBase

class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "loud"

    def v2_runner_on_ok(self, result):
        megabytes = int(result._result.get("msg", 0))
        block = b"".join(b"%015d\\n" % i for i in range(4096))
        for _ in range(megabytes * 16):
            data = block
            while data:
                data = data[os.write(1, data):]
`;

Deno.test({
  ...options,
  name: "the output is byte for byte what ansible-playbook prints by hand",
  async fn() {
    await using broker = await Broker.start();
    await using project = await Project.create({
      hosts: localHosts("h1", "h2"),
      // Tabs, quotes, colours, other scripts, and characters of four bytes; and
      // one line that fits into no message.
      "print.yml": playbook(`
    - name: "na\u00efve \u6f22\u5b57 \u{1f600}"
      debug:
        msg: "a \\"quote\\", a \\\\, a \\t, \u00e4\u00f6\u00fc \u05e9\u05dc\u05d5\u05dd \u{1f600}\u{1f44d}\u{1f3fd}"
    - debug: msg="{{ '\u{1f600}\u00e4x' * 30000 }}"
    - fail: msg="no"
      ignore_errors: true
    - debug: msg="{{ undefined_variable | default('d') }}"
      tags: t
`),
    });
    await using client = await Client.connect(broker.port);
    await using worker = await Worker.start({
      project,
      port: broker.port,
      worker: OUTPUT,
    });
    const request = { playbook: "print.yml", inventory: "hosts", forks: 1 };
    for (
      const { id, more, args } of [
        { id: "plain", more: {}, args: [] },
        {
          id: "warned",
          // A host that is not there is warned of, on stderr.
          more: { limit: "h1:h9", verbosity: 1 },
          args: ["--limit=h1:h9", "-v"],
        },
      ]
    ) {
      const final = await client.run({ task_id: id, ...request, ...more });
      assert.equal(final.state, "success", final.error_message ?? "");
      const hand = await new Deno.Command("ansible-playbook", {
        args: ["--inventory=hosts", "--forks=1", ...args, "--", "print.yml"],
        cwd: project.directory,
        env: { ...project.environment("hand"), LC_ALL: "C.UTF-8" },
        stdin: "null",
      }).output();
      const pieces = told(client, id);
      for (const stream of ["stdout", "stderr"] as const) {
        const text = textOf(pieces, stream);
        assert.equal(text, new TextDecoder().decode(hand[stream]), stream);
        assert.deepEqual(new TextEncoder().encode(text), hand[stream]);
      }
      assert.equal(pieces.some(({ truncated }) => truncated), false);
      assert.equal(textOf(pieces, "stderr") !== "", id === "warned");
    }
    assert.equal(await worker.stop(), 0);
  },
});

Deno.test({
  ...options,
  name: "output appears while the run goes on",
  async fn() {
    await using broker = await Broker.start();
    await using project = await Project.create();
    await using client = await Client.connect(broker.port);
    await using worker = await Worker.start({
      project,
      port: broker.port,
      worker: OUTPUT,
    });
    await client.submit(project.work("long", { seconds: 600 }));
    const { text } = await client.message(
      "the first output",
      ({ topic, text }) =>
        topic === "ansible/test/tasks/long/output" &&
        JSON.parse(text).text.includes("TASK [work]"),
    );
    assert.match(JSON.parse(text).text, /TASK \[work\] \*+\n/);
    await client.cancel("long");
    assert.equal((await client.final("long")).state, "cancelled");
    told(client, "long");
    assert.equal(await worker.stop(), 0);
  },
});

Deno.test({
  ...options,
  name: "output beyond the limit is cut, with a last message that says so",
  async fn() {
    const limit = 1024 * 1024;
    await using broker = await Broker.start();
    await using project = await Project.create({
      "callback_plugins/loud.py": LOUD,
      "loud.yml": playbook("    - debug: msg=30\n"),
    });
    await using client = await Client.connect(broker.port);
    await using worker = await Worker.start({
      project,
      port: broker.port,
      worker: { ...OUTPUT, output_limit: limit },
    });
    await client.run(project.work("warm"));
    const before = await worker.memory();
    const final = await client.run({
      task_id: "loud",
      playbook: "loud.yml",
      inventory: "hosts",
    }, 120);
    assert.equal(final.state, "success");
    const pieces = told(client, "loud");
    const last = pieces.pop()!;
    assert.equal(last.truncated, true);
    assert.match(last.text, /longer than worker.output_limit, 1048576 bytes/);
    const text = textOf(pieces, "stdout");
    assert.equal(text.length, limit);
    assert.match(text, /^\nPLAY \[all\]/);
    assert.match(text, /000000000000000\n000000000000001\n/);
    assert.equal(pieces.some(({ truncated }) => truncated), false);
    const after = await worker.memory();
    console.log(
      `worker ${before.toFixed(0)} MB before, ${after.toFixed(0)} MB after`,
    );
    assert.ok(after - before < 50);
    assert.equal(await worker.stop(), 0);
  },
});

Deno.test({
  ...options,
  name: "a broker that is deaf for a while slows no run, and is told the end",
  async fn() {
    await using broker = await Broker.start();
    await using project = await Project.create({
      "callback_plugins/loud.py": LOUD,
      "loud.yml": playbook(`
    - name: print
      debug: { msg: "{{ lookup('pipe', hold) ~ 24 }}" }
    - name: print no more
      debug:
        msg: "{{ lookup('pipe', 'echo done > ' ~ truth) }}"
`),
    });
    await using client = await Client.connect(broker.port);
    await using worker = await Worker.start({
      project,
      port: broker.port,
      worker: {
        ...OUTPUT,
        publish_events: true,
        output_limit: 64 * 1024 * 1024,
      },
    });
    await client.run(project.work("warm"));
    const before = await worker.memory();
    await client.submit({
      task_id: "loud",
      playbook: "loud.yml",
      inventory: "hosts",
      extra_vars: { truth: project.path("done"), hold: await held(project) },
    });
    await client.status("loud", ({ state }) => state === "running");
    broker.pause();
    await release(project);
    let most = before;
    try {
      await until("the end of the run", async () => {
        most = Math.max(most, await worker.memory());
        return (await Deno.readTextFile(project.path("done")).catch(() => ""))
          .startsWith("done");
      });
    } finally {
      broker.resume();
    }
    const final = await client.final("loud");
    assert.equal(final.state, "success", final.error_message ?? "");
    const pieces = told(client, "loud");
    const missing = pieces.reduce((sum, { left_out }) => sum + left_out, 0);
    const text = textOf(pieces, "stdout");
    console.log(
      `the run took ${final.duration_seconds} s; worker ${
        before.toFixed(0)
      } MB before, ${most.toFixed(0)} MB at most; ` +
        `${text.length} bytes told, ${missing} left out`,
    );
    assert.ok(missing > 0, "not all of it could wait");
    assert.ok(text.length + missing > 24 * 1024 * 1024);
    assert.match(text, /\nPLAY RECAP \*+\nh1 /, "the end is told");
    assert.ok(most - before < 120, "and the memory is bounded");
    const events = of(client, "loud", "events").map((text) =>
      eventSchema.parse(JSON.parse(text))
    );
    assert.deepEqual(events.map(({ seq }) => seq), [1, 2, 3, 4]);
    assert.deepEqual(events.map(({ left_out }) => left_out), [0, 0, 0, 0]);
    assert.equal((await client.run(project.work("next"))).state, "success");
    await worker.logged("too slow for a run's events or output");
    assert.equal(await worker.stop(), 0);
  },
});

Deno.test({
  ...options,
  name: "a final status waits for a deaf broker no longer than it has to",
  async fn() {
    await using broker = await Broker.start();
    await using project = await Project.create({
      "steps.yml": playbook(
        `    - debug: { msg: "{{ lookup('pipe', hold) }}" }\n${
          "    - debug: msg=on\n".repeat(40)
        }`,
      ),
    });
    await using client = await Client.connect(broker.port);
    await using worker = await Worker.start({
      project,
      port: broker.port,
      worker: { publish_events: true },
    });
    await client.submit({
      task_id: "steps",
      playbook: "steps.yml",
      inventory: "hosts",
      extra_vars: { hold: await held(project) },
    });
    await client.message(
      "the first event",
      ({ topic }) => topic === "ansible/test/tasks/steps/events",
    );
    broker.pause();
    await release(project);
    try {
      // It has waited, and has given up on the rest.
      await worker.logged("too slow for a run's events or output");
    } finally {
      broker.resume();
    }
    const final = await client.final("steps");
    assert.equal(final.state, "success");
    const events = of(client, "steps", "events").map((text) =>
      eventSchema.parse(JSON.parse(text))
    );
    assert.deepEqual(
      events.map(({ seq }) => seq),
      events.map((_, i) => i + 1),
    );
    const last = events.at(-1)!;
    assert.equal(last.event, "result");
    assert.ok(last.left_out > 0);
    assert.equal(events.length + last.left_out, 82, "the gap is where it is");
    assert.equal(await worker.stop(), 0);
  },
});

Deno.test({
  ...options,
  name: "a flood of output holds up neither a cancel nor another task",
  async fn() {
    await using broker = await Broker.start();
    await using project = await Project.create({
      "callback_plugins/loud.py": LOUD,
      "loud.yml": playbook("    - debug: msg=100000\n"),
    });
    await using client = await Client.connect(broker.port);
    await using worker = await Worker.start({
      project,
      port: broker.port,
      worker: {
        ...OUTPUT,
        output_limit: 1024 ** 3,
        max_concurrent_tasks: 2,
      },
    });
    await client.run(project.work("warm"));
    await client.submit({
      task_id: "flood",
      playbook: "loud.yml",
      inventory: "hosts",
    });
    await client.message(
      "the first of the flood",
      ({ topic, text }) =>
        topic === "ansible/test/tasks/flood/output" && text.length > 16_384,
    );
    assert.equal((await client.run(project.work("other"))).state, "success");
    await until(
      "more of the flood",
      () =>
        client.messages.filter(({ topic }) =>
          topic === "ansible/test/tasks/flood/output"
        ).length > 100,
    );
    const since = performance.now();
    await client.cancel("flood");
    const final = await client.final("flood");
    console.log(`cancelled after ${(performance.now() - since).toFixed(0)} ms`);
    assert.equal(final.state, "cancelled");
    const pieces = told(client, "flood");
    assert.ok(pieces.length > 100);
    assert.match(textOf(told(client, "other"), "stdout"), /PLAY RECAP/);
    assert.equal(await worker.stop(), 0);
  },
});

Deno.test({
  ...options,
  name: "access rules that deny the output cost nothing but the output",
  async fn() {
    const rules = await Deno.makeTempFile({ prefix: "acl-" });
    try {
      await Deno.writeTextFile(
        rules,
        "topic readwrite ansible/test/#\ntopic deny ansible/test/tasks/t/output\n",
      );
      await using broker = await Broker.start({ extra: [`acl_file ${rules}`] });
      await using project = await Project.create();
      await using client = await Client.connect(broker.port);
      await using worker = await Worker.start({
        project,
        port: broker.port,
        worker: { ...OUTPUT, publish_events: true },
      });
      const final = await client.run(project.work("t"));
      assert.equal(final.state, "success");
      assert.deepEqual(of(client, "t", "output"), []);
      assert.ok(of(client, "t", "events").length > 0);
      await worker.logged("the broker refuses a run's events or output");
      assert.equal(await worker.stop(), 0);
    } finally {
      await Deno.remove(rules);
    }
  },
});

function playbook(tasks: string): string {
  return `- hosts: all\n  gather_facts: false\n  tasks:\n${tasks}`;
}

/** Of a command that lasts until `release()`: its text. */
async function held(project: Project): Promise<string> {
  const file = project.path("held");
  await Deno.writeTextFile(file, "");
  return `while [ -e ${file} ]; do sleep 0.05; done`;
}

function release(project: Project): Promise<void> {
  return Deno.remove(project.path("held"));
}

/** What was published on a topic of a task before its final status. */
function of(client: Client, id: string, leaf: string): string[] {
  const base = `ansible/test/tasks/${id}`;
  const end = client.messages.findIndex(({ topic, text }) =>
    topic === `${base}/status` && text.includes('"completed_at":"')
  );
  return client.messages.filter((message, at) => {
    if (message.topic !== `${base}/${leaf}`) return false;
    assert.ok(at < end, "told before the end");
    assert.equal(message.retained, false);
    return true;
  }).map(({ text }) => text);
}

/** The output of a task, all of it as it should be. */
function told(client: Client, id: string): TaskOutput[] {
  return of(client, id, "output").map((text, i) => {
    assert.ok(
      new TextEncoder().encode(text).length <= MAX_OUTPUT_MESSAGE_BYTES,
    );
    const piece = outputSchema.parse(JSON.parse(text));
    assert.deepEqual(
      Object.keys(JSON.parse(text)),
      Object.keys(outputSchema.shape),
    );
    assert.equal(piece.task_id, id);
    assert.equal(piece.seq, i + 1);
    assert.ok(piece.text.isWellFormed(), "no character is cut");
    return piece;
  });
}

function textOf(pieces: TaskOutput[], stream: TaskOutput["stream"]): string {
  return pieces.filter((piece) => piece.stream === stream)
    .map(({ text }) => text).join("");
}

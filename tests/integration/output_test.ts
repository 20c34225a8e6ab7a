import assert from "node:assert/strict";
import { Broker } from "../harness/broker.ts";
import { Client } from "../harness/client.ts";
import { Project } from "../harness/project.ts";
import { until } from "../harness/waiting.ts";
import { Worker } from "../harness/worker.ts";

function playbook(tasks: string): string {
  return `- hosts: all\n  gather_facts: false\n  tasks:\n${tasks}`;
}

Deno.test({
  name: "a playbook that prints 200 MB costs the worker no memory",
  sanitizeOps: true,
  sanitizeResources: true,
  async fn() {
    await using broker = await Broker.start();
    await using project = await Project.create({
      // A plugin of the user's that prints, since Ansible keeps results.
      "callback_plugins/loud.py": `
import os
from ansible.plugins.callback import CallbackBase

class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "loud"

    def v2_runner_on_ok(self, result):
        line = b"x" * 65535 + b"\\n"
        written = sum(os.write(1, line) for _ in range(200 * 16))
        with open(os.environ["HOME"] + "/written", "w") as file:
            file.write(str(written))
`,
      "loud.yml": playbook("    - debug: msg=loud\n"),
    });
    await using client = await Client.connect(broker.port);
    await using worker = await Worker.start({ project, port: broker.port });
    await client.run(project.work("warm"));
    const before = await worker.memory();
    await client.submit({
      task_id: "loud",
      playbook: "loud.yml",
      inventory: "hosts",
    });
    let most = 0;
    while (client.history("loud").at(-1)?.completed_at == null) {
      most = Math.max(most, await worker.memory());
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    const final = await client.final("loud");
    assert.equal(final.state, "success", final.error_message ?? "");
    const written = await Deno.readTextFile(project.path("home/written"));
    assert.equal(Number(written), 200 * 16 * 65536);
    console.log(
      `200 MB printed in ${final.duration_seconds} s; worker ${
        before.toFixed(0)
      } MB before, ${most.toFixed(0)} MB at most`,
    );
    assert.ok(most - before < 150);
    assert.equal(await worker.stop(), 0);
  },
});

Deno.test({
  name:
    "a process that keeps stdout open does not hold up the end, and may print afterwards",
  sanitizeOps: true,
  sanitizeResources: true,
  async fn() {
    await using broker = await Broker.start();
    await using project = await Project.create({
      "callback_plugins/keep.py": `
import subprocess
from ansible.plugins.callback import CallbackBase

class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "keep"

    def v2_playbook_on_stats(self, stats):
        # It prints when the run has ended.
        subprocess.Popen(
            ["sh", "-c", "sleep 2; echo on; echo on >&2; exec sleep 260"])
`,
    });
    await using client = await Client.connect(broker.port);
    await using worker = await Worker.start({ project, port: broker.port });
    const final = await client.run(project.work("keep"));
    assert.equal(final.state, "success");
    let pid: number | undefined;
    await until("it, alive as after a run by hand", async () => {
      const left = (await project.processes()).filter(({ command }) =>
        command === "sleep 260"
      );
      assert.ok(left.length <= 1);
      pid = left[0]?.pid;
      return pid !== undefined;
    });
    Deno.kill(pid!, "SIGKILL");
    assert.equal(await worker.stop(), 0);
    await project.quiet();
  },
});

Deno.test({
  name: "a run that closes stdout goes on to its own end",
  sanitizeOps: true,
  sanitizeResources: true,
  async fn() {
    await using broker = await Broker.start();
    await using project = await Project.create({
      "callback_plugins/shut.py": `
import os
from ansible.plugins.callback import CallbackBase

class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "shut"

    def v2_playbook_on_play_start(self, play):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        os.dup2(null, 2)
`,
    });
    await using client = await Client.connect(broker.port);
    await using worker = await Worker.start({ project, port: broker.port });
    const final = await client.run(project.work("shut", { seconds: 1 }));
    assert.equal(final.state, "success");
    assert.ok(final.duration_seconds! >= 1);
    assert.deepEqual((await project.truth()).map(({ what }) => what), [
      "start",
      "end",
    ]);
    assert.equal(await worker.stop(), 0);
  },
});

Deno.test({
  name: "an error message of 1 MB is told in 4 KiB",
  sanitizeOps: true,
  sanitizeResources: true,
  async fn() {
    await using broker = await Broker.start();
    await using project = await Project.create({
      "fail.yml": playbook(`    - fail: msg="{{ 'ä' * 1000000 }}"\n`),
    });
    await using client = await Client.connect(broker.port);
    await using worker = await Worker.start({ project, port: broker.port });
    const final = await client.run({
      task_id: "long",
      playbook: "fail.yml",
      inventory: "hosts",
    });
    assert.equal(final.state, "failed");
    assert.match(final.error_message!, /^h1: failed at "fail": ä+…/);
    assert.ok(new TextEncoder().encode(final.error_message!).length <= 4096);
    assert.equal((await client.run(project.work("next"))).state, "success");
    assert.equal(await worker.stop(), 0);
  },
});

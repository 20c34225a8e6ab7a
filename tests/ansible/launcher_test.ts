import assert from "node:assert/strict";
import { Broker } from "../harness/broker.ts";
import { Client } from "../harness/client.ts";
import { Project } from "../harness/project.ts";
import { Worker } from "../harness/worker.ts";

const options = { sanitizeOps: true, sanitizeResources: true };

Deno.test({
  ...options,
  name: "a user's own plugin takes the place of Ansible's, as in a run by hand",
  async fn() {
    await using broker = await Broker.start();
    await using project = await Project.create({
      "action_plugins/debug.py": `
from ansible.plugins.action import ActionBase

class ActionModule(ActionBase):
    def run(self, tmp=None, task_vars=None):
        return {"changed": True, "msg": "mine"}
`,
      "own.yml":
        "- hosts: all\n  gather_facts: false\n  tasks:\n    - debug: msg=1\n",
    });
    await using client = await Client.connect(broker.port);
    await using worker = await Worker.start({ project, port: broker.port });
    const final = await client.run({
      task_id: "own",
      playbook: "own.yml",
      inventory: "hosts",
    });
    assert.equal(final.tasks_changed, 1);
    assert.equal(await worker.stop(), 0);
  },
});

for (
  const [who, pick] of [
    ["supervisor", (pids: number[]) => pids[1]!],
    ["launcher", (pids: number[]) => pids[0]!],
  ] as const
) {
  Deno.test({
    ...options,
    name: `a ${who} that is killed ends its run, and the next task runs`,
    async fn() {
      await using broker = await Broker.start();
      await using project = await Project.create();
      await using client = await Client.connect(broker.port);
      await using worker = await Worker.start({ project, port: broker.port });
      await client.submit(project.work("t", { seconds: 600 }));
      await project.started("t");
      // The launcher, its supervisor, and the run: each the parent of the next.
      const pids = await chain(worker.pid);
      Deno.kill(pick(pids), "SIGKILL");
      const final = await client.final("t");
      assert.equal(final.state, "failed");
      assert.ok(final.error_message);
      assert.equal((await client.run(project.work("next"))).state, "success");
      const left = (await project.processes()).filter(({ command }) =>
        command.startsWith("sleep") || command.startsWith("/bin/sh")
      );
      assert.deepEqual(left, []);
      assert.equal(await worker.stop(), 0);
      await project.quiet();
    },
  });
}

/** The first children of a process, one below the other. */
async function chain(pid: number): Promise<number[]> {
  const found: number[] = [];
  for (let parent = pid; found.length < 3;) {
    const text = await Deno.readTextFile(
      `/proc/${parent}/task/${parent}/children`,
    );
    const children = text.trim().split(" ").map(Number).filter((one) => one);
    let next: number | undefined;
    for (const child of children) {
      const command = await Deno.readTextFile(`/proc/${child}/cmdline`);
      if (command.includes("ansible-playbook")) next = child;
    }
    if (next === undefined) break;
    found.push(next);
    parent = next;
  }
  return found;
}

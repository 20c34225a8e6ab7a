/** Runs over SSH that share a connection (Ansible's default, ControlPersist). */
import assert from "node:assert/strict";
import {
  killAll,
  processesNamed,
  processesWith,
} from "../harness/processes.ts";
import { Project } from "../harness/project.ts";
import { Runs } from "../harness/runs.ts";
import { SshServer } from "../harness/ssh_server.ts";
import { until } from "../harness/waiting.ts";

Deno.test({
  name: "a run that is ended does not take the SSH connection of another one",
  ignore: !SshServer.isInstalled(),
  sanitizeOps: true,
  sanitizeResources: true,
  async fn(t) {
    await using project = await Project.create({
      "wait.yml": `
- hosts: all
  gather_facts: false
  tasks:
    - raw: "touch {{ here }}; while [ -e {{ here }} ]; do sleep 0.05; done"
    - raw: "true"
`,
    });
    await using server = await SshServer.start(project.path("ssh"));
    await project.write({ hosts: server.inventory("remote") });
    await using runs = await Runs.start(project, { slots: 2 });
    // What a run does on its host is not ended with it, as by hand.
    const mark = crypto.randomUUID();
    const file = (name: string) => project.path(`${name}-${mark}`);
    const begin = async (name: string) => {
      const here = file(name);
      const run = runs.begin("wait.yml", { extraVars: { here } });
      await until(
        `the run ${name}`,
        () => Deno.stat(here).then(() => true, () => false),
      );
      return run;
    };
    // They write their name over their environment.
    const masters = () =>
      processesNamed(
        new RegExp(`^ssh: ${project.path("home")}/\\S+ \\[mux\\]$`),
      );
    // What watches over a run tells its end, and leaves.
    const nothingLeft = () =>
      until(
        "the end of the run's processes",
        async () => (await project.runs(Deno.pid)).length === 0,
        30,
      );
    try {
      await t.step("with another run on it", async () => {
        const a = await begin("a");
        const b = await begin("b");
        assert.equal((await masters()).length, 1, "the runs share a master");
        a.end();
        const ended = await a.ended;
        assert.notEqual(ended.return_code, 0);
        assert.equal(ended.left ?? null, null);
        assert.equal((await masters()).length, 1);
        await Deno.remove(file("b"));
        const { error_message, return_code } = await b.ended;
        assert.equal(error_message, null);
        assert.equal(return_code, 0);
        await nothingLeft();
        killAll(await masters());
        await until("its end", async () => (await masters()).length === 0);
      });
      await t.step("with nobody else on it", async () => {
        const a = await begin("alone");
        assert.equal((await masters()).length, 1);
        a.end();
        await a.ended;
        assert.deepEqual(await masters(), []);
        await nothingLeft();
      });
    } finally {
      killAll(await masters());
      killAll(await processesWith(`SSH_TEST_SERVER=${server.mark}`));
    }
  },
});

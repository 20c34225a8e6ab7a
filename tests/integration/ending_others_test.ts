/** Runs that have started processes of another user, which may not be killed. */
import assert from "node:assert/strict";
import { Broker } from "../harness/broker.ts";
import { Client } from "../harness/client.ts";
import { killAll } from "../harness/processes.ts";
import { Project } from "../harness/project.ts";
import { playbookThrough } from "../harness/through.ts";
import { until } from "../harness/waiting.ts";
import { Worker } from "../harness/worker.ts";

/** The user of the runs; theirs may be anybody but the administrator. */
const NOBODY = "65534";

/** The worker's `kill_grace`, in seconds, and what is allowed on top of it. */
const GRACE = 1;
const MORE = 3;

/**
 * The time limit of a run, in seconds. Within it, the run has to get going; if it
 * does not, since the machine is busy, the next one has twice as long.
 */
const LIMIT = 10;

const OVERSEEN = /2 processes of root are left: \w+ \(\d+\), sleep \(\d+\)/;

Deno.test({
  name:
    "processes of another user that a run leaves are named, and hold up nothing",
  // As with sudo: only the administrator can make such a program here.
  ignore: Deno.uid() !== 0,
  sanitizeOps: true,
  sanitizeResources: true,
  async fn(t) {
    await using broker = await Broker.start();
    await using project = await Project.create({
      "root.yml": `
- hosts: all
  gather_facts: false
  tasks:
    - name: as root
      debug: msg="{{ lookup('pipe', become ~ ' --reuid=0 --regid=0 --clear-groups sh -c \\"touch ' ~ here ~ '; sleep 120; true\\"') }}"
`,
    });
    const run = async (program: string, ...args: string[]) => {
      const { success } = await new Deno.Command(program, { args }).output();
      assert.ok(success, program);
    };
    // Runs are those of an ordinary user with a program like sudo.
    const become = project.path("become");
    await run("cp", "/usr/bin/setpriv", become);
    await run("chmod", "4755", become);
    const PATH = await playbookThrough(project, [
      "setpriv",
      `--reuid=${NOBODY}`,
      `--regid=${NOBODY}`,
      "--clear-groups",
      // This copy of the project may be in a directory that is the
      // administrator's alone.
      "--inh-caps=+dac_override",
      "--ambient-caps=+dac_override",
    ]);
    await run("chmod", "755", project.path(""));
    await run("chown", "-R", NOBODY, project.path("home"));
    await run("chmod", "666", project.truthFile);
    await using client = await Client.connect(broker.port);
    await using worker = await Worker.start({
      project,
      port: broker.port,
      worker: { kill_grace: GRACE, shutdown_grace: 0 },
      env: { PATH },
    });
    // What is left is not killed by anybody: it is not theirs.
    const left = async () =>
      (await project.processes()).filter(({ command }) =>
        /^(sh -c touch|sleep 120)/.test(command)
      );
    const submit = async (id: string, more: Record<string, unknown>) => {
      const here = project.path(`home/${id}`);
      const before = (await left()).length;
      await client.submit({
        task_id: id,
        playbook: "root.yml",
        inventory: "hosts",
        extra_vars: { become, here },
        ...more,
      });
      const isOver = () =>
        client.history(id).some(({ completed_at }) => completed_at !== null);
      // The shell, and what it starts when it has touched the file.
      await until(
        "the run",
        async () => isOver() || (await left()).length === before + 2,
      );
    };
    await t.step("at a time limit", async () => {
      let limit = LIMIT;
      let id = "";
      for (;; limit *= 2) {
        id = `limit-${limit}`;
        await submit(id, { timeout: limit });
        if ((await left()).length === 2) break;
        assert.equal((await client.final(id)).state, "timeout");
        killAll(await left());
      }
      const final = await client.final(id);
      assert.equal(final.state, "timeout");
      assert.match(
        final.error_message!,
        new RegExp(`time limit of ${limit} s`),
      );
      assert.match(final.error_message!, OVERSEEN);
      assert.ok(
        final.duration_seconds! < limit + GRACE + MORE,
        `${final.duration_seconds} s`,
      );
      assert.equal((await left()).length, 2);
      assert.equal((await client.run(project.work("next"))).state, "success");
    });
    await t.step("by a cancel", async () => {
      await submit("cancel", {});
      const asked = performance.now();
      await client.cancel("cancel");
      const final = await client.final("cancel");
      assert.equal(final.state, "cancelled");
      assert.match(final.error_message!, OVERSEEN);
      const took = (performance.now() - asked) / 1000;
      assert.ok(took < GRACE + MORE, `${took} s`);
    });
    await t.step("when the worker is stopped", async () => {
      await submit("stop", {});
      const asked = performance.now();
      const [code, final] = await Promise.all([
        worker.stop(),
        client.final("stop"),
      ]);
      assert.equal(code, 0);
      assert.match(final.error_message!, OVERSEEN);
      const took = (performance.now() - asked) / 1000;
      assert.ok(took < GRACE + MORE + 2, `${took} s`);
    });
    assert.equal((await left()).length, 6);
    killAll(await left());
  },
});

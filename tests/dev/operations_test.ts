/** The recipe of docs/operations.md for restarting one's own worker. */
import assert from "node:assert/strict";
import { ROOT } from "../../dev/programs.ts";
import { Broker } from "../harness/broker.ts";
import { Client } from "../harness/client.ts";
import { Project } from "../harness/project.ts";
import { Worker } from "../harness/worker.ts";

const DOCUMENT = await Deno.readTextFile(`${ROOT}docs/operations.md`);

/** As the real ones do it, for a worker whose process id is in a file. */
const PROGRAMS: Record<string, (pid: string) => string> = {
  systemctl: (pid) =>
    `#!/bin/sh
kill -TERM $(cat ${pid})
case "$*" in *--no-block*) exit 0 ;; esac
while kill -0 $(cat ${pid}); do sleep 0.1; done
`,
  sudo: () =>
    `#!/bin/sh
while [ "$1" != /bin/sh ]; do shift; done
exec "$@"
`,
};

Deno.test({
  name: "a playbook that restarts its own worker as described succeeds",
  sanitizeOps: true,
  sanitizeResources: true,
  async fn(t) {
    const recipe = /<!-- run: restart -->\s*```yaml\n([\s\S]*?)```/
      .exec(DOCUMENT)?.[1];
    assert.ok(recipe, "there is a recipe");
    await using broker = await Broker.start();
    await using project = await Project.create({
      "restart.yml": `${recipe}    - debug: msg=afterwards\n`,
      "waits.yml": recipe.replace("--no-block ", ""),
    });
    const bin = project.path("bin");
    const pid = project.path("pid");
    await Deno.mkdir(bin);
    for (const [name, program] of Object.entries(PROGRAMS)) {
      await Deno.writeTextFile(`${bin}/${name}`, program(pid), { mode: 0o755 });
    }
    await using client = await Client.connect(broker.port);
    const run = async (playbook: string, grace: number) => {
      await using worker = await Worker.start({
        project,
        port: broker.port,
        worker: { shutdown_grace: grace },
        env: { PATH: `${bin}:${Deno.env.get("PATH")}` },
      });
      await Deno.writeTextFile(pid, String(worker.pid));
      const final = await client.run({
        task_id: playbook,
        playbook,
        inventory: "hosts",
      });
      assert.equal((await worker.exited).code, 0);
      return final;
    };
    await t.step("without waiting", async () => {
      const final = await run("restart.yml", 30);
      assert.equal(final.error_message, null);
      assert.equal(final.state, "success");
      assert.equal(final.tasks_ok, 2);
    });
    await t.step("one that waits is cancelled", async () => {
      assert.equal((await run("waits.yml", 1)).state, "cancelled");
    });
  },
});

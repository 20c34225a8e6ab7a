/** What docs/operations.md gives to be copied. */
import assert from "node:assert/strict";
import { run } from "../../dev/distribution/run.ts";
import { freePort, mosquitto, ROOT } from "../../dev/programs.ts";
import { Broker } from "../harness/broker.ts";
import { Client } from "../harness/client.ts";
import { ListeningProgram } from "../harness/listening.ts";
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

/** Where Debian's package of mosquitto has its configuration. */
const DEBIAN = "/etc/mosquitto/mosquitto.conf";

Deno.test({
  name: "mosquitto starts with the block of the document beside Debian's own",
  ignore: !await Deno.stat(DEBIAN).then(() => true, () => false),
  sanitizeOps: true,
  sanitizeResources: true,
  async fn() {
    const [, block] = /^```text\n(listener 1883\n[\s\S]*?)```/m.exec(DOCUMENT)!;
    const directory = await Deno.makeTempDir({ prefix: "mosquitto-" });
    try {
      const port = freePort();
      // Its directories are the test's own, and so is whom it runs as.
      const moved = (text: string) =>
        text.replaceAll(/\/\S*\//g, `${directory}/`)
          .replace("listener 1883", `listener ${port} 127.0.0.1`);
      await Deno.mkdir(`${directory}/conf.d`);
      await Deno.writeTextFile(
        `${directory}/conf.d/worker.conf`,
        moved(block!),
      );
      await Deno.writeTextFile(
        `${directory}/mosquitto.conf`,
        `${Deno.uid() === 0 ? "user root\n" : ""}${
          moved(await Deno.readTextFile(DEBIAN))
        }`,
      );
      await Deno.writeTextFile(`${directory}/acl`, "user worker\n");
      const passwords = `${directory}/passwords`;
      await run([
        "mosquitto_passwd",
        "-c",
        "-b",
        passwords,
        "worker",
        "secret",
      ]);
      await Deno.chmod(passwords, 0o600);
      const broker = await ListeningProgram.start({
        program: (await mosquitto())!,
        args: ["-c", `${directory}/mosquitto.conf`],
        ports: [port],
      });
      await broker.end("SIGTERM");
    } finally {
      await Deno.remove(directory, { recursive: true });
    }
  },
});

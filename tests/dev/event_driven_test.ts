/**
 * The source and the rulebook for Event-Driven Ansible of docs/controllers.md.
 */
import assert from "node:assert/strict";
import { clientArguments } from "../../dev/programs.ts";
import { pythonWith } from "../../dev/python.ts";
import { BAD, example, GOOD, workerOf } from "../harness/examples.ts";
import { pause, until } from "../harness/waiting.ts";

/** Set: the directory of a virtual environment that has `ansible-rulebook`. */
const RULEBOOK = Deno.env.get("ANSIBLE_WORKER_TEST_RULEBOOK");

/**
 * Runs a source as ansible-rulebook does, which has room for one event, and is
 * not always there to take it; until one task was told from its beginning to
 * its end.
 */
const SOURCE = `
import asyncio, json, os, sys
sys.path.insert(0, sys.argv[1])
import ansible_worker
async def first():
    queue = asyncio.Queue(1)
    source = asyncio.create_task(
        ansible_worker.main(queue, {"host": "127.0.0.1", "port": sys.argv[2],
                                    "topic": "ansible/default/tasks/+/status"}))
    begun = set()
    while True:
        status = (await asyncio.wait_for(queue.get(), 60))["status"]
        print(json.dumps([status["task_id"], status["state"]]), flush=True)
        if status["state"] == "queued":
            begun.add(status["task_id"])
        if status["completed_at"] and status["task_id"] in begun:
            break
        await asyncio.sleep(0.3)
    source.cancel()
    await asyncio.gather(source, return_exceptions=True)
    # What came after that is for nobody.
    os._exit(0)
asyncio.run(first())
`;

Deno.test("controllers: the source for Event-Driven Ansible tells what is news, all of it and in order", async () => {
  const python = await pythonWith("paho-mqtt==2.1.0");
  await using group = await workerOf({ "bad.yml": BAD });
  const { broker, client, project } = group;
  const ask = (task_id: string) =>
    client.run({ task_id, playbook: "bad.yml", inventory: "hosts" });
  await ask("before");
  const directory = project.path("eda");
  await Deno.mkdir(directory);
  await Deno.writeTextFile(
    `${directory}/ansible_worker.py`,
    example("eda source"),
  );
  const source = new Deno.Command(python, {
    args: ["-c", SOURCE, directory, String(broker.port)],
    stdin: "null",
    stdout: "piped",
  }).spawn();
  const output = source.output();
  let isOver = false;
  output.then(() => isOver = true);
  // Until it has subscribed, there is nobody to be told.
  for (let i = 0; !isOver && i < 60; i++) await ask(`now-${i}`);
  const { success, stdout } = await output;
  assert.ok(success);
  const told: [id: string, state: string][] = new TextDecoder().decode(stdout)
    .trim().split("\n").map((line) => JSON.parse(line));
  assert.ok(told.every(([id]) => id.startsWith("now-")), told.join(" "));
  const last = told.at(-1)![0];
  const states = told.filter(([id]) => id === last).map(([, state]) => state);
  assert.deepEqual([...new Set(states)], ["queued", "running", "failed"]);
});

Deno.test({
  name:
    "controllers: the rulebook for Event-Driven Ansible asks for what puts a failed deployment back, once",
  ignore: RULEBOOK === undefined,
  async fn() {
    await using group = await workerOf({
      "good.yml": GOOD,
      "bad.yml": BAD,
    }, {
      templates: {
        "deploy-web": { playbook: "bad.yml", inventory: "hosts" },
        "rollback-web": { playbook: "good.yml", inventory: "hosts" },
      },
    });
    const { broker, client, project } = group;
    await client.run({ task_id: "before", template: "deploy-web" });
    const directory = project.path("eda");
    await Deno.mkdir(directory);
    const files = {
      "ansible_worker.py": example("eda source"),
      "rulebook.yml": example("eda rulebook")
        .replaceAll("broker\n", "127.0.0.1\n")
        .replaceAll("1883", String(broker.port)),
      "inventory.yml":
        "all: { hosts: { localhost: { ansible_connection: local } } }\n",
      // As the package installs it, from here.
      "ansible-worker": `#!/bin/sh\nexec ${
        [Deno.execPath(), ...clientArguments()].map((word) => `'${word}'`)
          .join(" ")
      } "$@"\n`,
    };
    for (const [name, text] of Object.entries(files)) {
      await Deno.writeTextFile(`${directory}/${name}`, text, { mode: 0o755 });
    }
    const rulebook = new Deno.Command(`${RULEBOOK}/bin/ansible-rulebook`, {
      args: [
        ...["--rulebook", "rulebook.yml", "--source-dir", "."],
        ...["-i", "inventory.yml"],
      ],
      cwd: directory,
      env: { PATH: `${directory}:${RULEBOOK}/bin:${Deno.env.get("PATH")}` },
      stdin: "null",
      stdout: "null",
      stderr: "inherit",
    }).spawn();
    let isOver = false;
    rulebook.status.then(() => isOver = true);
    try {
      const rollbacks = () =>
        new Set(
          client.messages.map(({ topic }) => topic.split("/").at(-2)!)
            .filter((id) => id.startsWith("rollback-")),
        );
      // Until it has subscribed, there is nobody to be told.
      let asked = 0;
      await until("what puts it back", async () => {
        if (rollbacks().size > 0) return true;
        assert.ok(!isOver, "ansible-rulebook has ended");
        await client.run({ task_id: `now-${asked++}`, template: "deploy-web" });
        // Each one that is told of starts two programs more.
        await pause(5);
        return false;
      });
      const [first] = rollbacks();
      assert.match(first!, /^rollback-now-/);
      assert.equal((await client.final(first!)).state, "success");
      // Each one after the first that it has heard of, and none before.
      const since = Number(first!.split("-").at(-1));
      await until("all that is due", () => rollbacks().size === asked - since);
    } finally {
      if (!isOver) rulebook.kill();
      await rulebook.status;
    }
  },
});

/** `submit --everyone` and `submit --worker`, as users see them. */
import assert from "node:assert/strict";
import { Broker } from "../harness/broker.ts";
import { Client } from "../harness/client.ts";
import { at, inTerminal, Piped, run } from "../harness/client_program.ts";
import { Project } from "../harness/project.ts";
import { PATIENCE } from "../harness/waiting.ts";
import { Worker } from "../harness/worker.ts";

/** A run that fails on one of the workers. */
const PICKY = `
- hosts: all
  gather_facts: false
  tasks:
    - name: not here
      fail:
        msg: not on w2
      when: lookup('env', 'USER') == 'w2'
`;

Deno.test("one request is run by each worker, and followed as one", async (t) => {
  await using broker = await Broker.start({ persistence: true });
  await using project = await Project.create({ "picky.yml": PICKY });
  await using client = await Client.connect(broker.port);
  // One that is away is back before another one adopts it, however slow it is.
  const patient = { timing: { returnMs: PATIENCE * 1000 } };
  const start = (id: string) =>
    Worker.start({ project, port: broker.port, id, inner: patient });
  await using _one = await start("w1");
  await using _two = await start("w2");
  const three = await start("w3");
  const port = broker.port;
  const submit = (id: string, ...more: string[]) => [
    ...["submit", "picky.yml", "-i", "hosts", "--id", id],
    ...more,
    ...at(port),
  ];

  await t.step("lines, and the worst exit code", async () => {
    const { code, stdout, stderr } = await run(submit("all", "--everyone"));
    // On a machine that is busy an answer may take more than a second.
    assert.deepEqual({ code, stderr: stderr.replace(/^no answer.*\n/gm, "") }, {
      code: 2,
      stderr: "",
    });
    assert.match(stdout, /^all: picky.yml on hosts, by w1, w2, w3$/m);
    for (const [id, state] of [["w1", "success"], ["w2", "failed"]]) {
      assert.match(stdout, new RegExp(`^all@${id}  ${state}`, "m"));
    }
    assert.match(stdout, /not on w2/);
    assert.equal(
      stdout.trimEnd().split("\n").at(-1),
      "success on 2 of 3 workers",
    );
  });

  await t.step("--json: the messages of all of them", async () => {
    const { code, stdout } = await run(submit("json", "--everyone", "--json"));
    assert.equal(code, 2);
    const finals = stdout.trimEnd().split("\n").map((line) => JSON.parse(line))
      .filter(({ completed_at }) => completed_at !== null);
    assert.deepEqual(finals.map(({ task_id }) => task_id).sort(), [
      "json@w1",
      "json@w2",
      "json@w3",
    ]);
  });

  await t.step("in a terminal, as one table", async () => {
    await using terminal = inTerminal(submit("table", "--everyone"));
    await terminal.shows(/table@w1 +success[^]*table@w2 +failed/);
    assert.equal(await terminal.exited, 2);
  });

  await t.step("one that is away is waited for", async () => {
    await three.stop();
    await using waits = new Piped(submit("away", "--everyone"));
    await waits.shows(/no answer yet from w3 \(offline\)/);
    await using _ = await start("w3");
    assert.equal(await waits.exited, 2);
    assert.match(waits.stdout, /^away@w3 {2}success/m);
  });

  await t.step(
    "--worker: that one, and its words if there is none",
    async () => {
      const { code, stdout } = await run([
        ...["submit", "picky.yml", "-i", "localhost,", "--id", "mine"],
        ...["--worker", "w1", ...at(port)],
      ]);
      assert.equal(code, 0);
      assert.match(stdout, /^mine: picky.yml on localhost, by w1$/m);
      assert.equal((await client.final("mine")).worker_id, "w1");
      const unknown = await run(submit("no", "--worker", "w9"));
      assert.equal(unknown.code, 106);
      assert.match(
        unknown.stderr,
        /--worker: no worker "w9" is known in ansible\/test; online: w1, w2/,
      );
    },
  );

  await t.step("an id that has no room for a worker's", async () => {
    const { code, stderr } = await run(submit("x".repeat(127), "--everyone"));
    assert.equal(code, 106);
    assert.match(stderr, /--id: must be at most 125 characters/);
  });

  await t.step("cancel, by the common id", async () => {
    await client.publish(
      "ansible/test/everyone/tasks",
      JSON.stringify(project.work("long", { seconds: 60 })),
      { qos: 2 },
    );
    const parts = ["long@w1", "long@w2"];
    await Promise.all(
      parts.map((id) => client.status(id, ({ state }) => state === "running")),
    );
    const { code, stdout } = await run(["cancel", "long", ...at(port)]);
    assert.equal(code, 0, stdout);
    assert.match(stdout, /^long@w1: cancelled/m);
    assert.match(stdout, /^long@w2: cancelled/m);
  });
});

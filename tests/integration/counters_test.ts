import assert from "node:assert/strict";
import { outputSchema } from "../../src/messages/output.ts";
import type { TaskStatus } from "../../src/messages/task_status.ts";
import { CORPUS, corpusProject, requestOf } from "../ansible/corpus.ts";
import { Broker } from "../harness/broker.ts";
import { Client } from "../harness/client.ts";
import type { Project } from "../harness/project.ts";
import { Worker } from "../harness/worker.ts";
import { base, countersOf, EVENTS, sums, told } from "./told_events.ts";

const COLUMNS = {
  ok: "tasks_ok",
  changed: "tasks_changed",
  unreachable: "tasks_unreachable",
  failed: "tasks_failed",
  skipped: "tasks_skipped",
  rescued: "tasks_rescued",
  ignored: "tasks_ignored",
} as const;

Deno.test({
  name:
    "the counters are those of the recap that a run prints, and there is one event for each result",
  sanitizeOps: true,
  sanitizeResources: true,
  async fn(t) {
    await using broker = await Broker.start();
    await using project = await corpusProject();
    await using client = await Client.connect(broker.port);
    await using worker = await Worker.start({
      project,
      port: broker.port,
      worker: {
        ...EVENTS,
        publish_output: true,
        max_concurrent_tasks: 2,
        status_interval: 0.05,
      },
    });
    for (const [i] of CORPUS.entries()) {
      await client.submit(requestOf(i, "c"));
    }
    for (const [i, { name }] of CORPUS.entries()) {
      const final = await client.final(`c-${i}`);
      await t.step(name, () => {
        // That it is what is printed by hand is shown by `printed_test.ts`.
        compare(final, printed(client, `c-${i}`));
        const totals = client.history(`c-${i}`)
          .filter(({ state }) => state === "running")
          .map(({ tasks_total }) => tasks_total);
        assert.deepEqual(totals, totals.toSorted((a, b) => a - b));
        const events = told(client, `c-${i}`);
        assert.deepEqual(sums(events), countersOf(final));
        for (const event of events) {
          assert.notEqual(event.play, "", "it is of a play");
          assert.notEqual(event.task, "", "and of a play task");
        }
      });
    }
    assert.equal(await worker.stop(), 0);
  },
});

Deno.test({
  name: "the counters do not depend on what ansible.cfg has printed",
  sanitizeOps: true,
  sanitizeResources: true,
  async fn(t) {
    await using broker = await Broker.start();
    await using project = await corpusProject();
    await using client = await Client.connect(broker.port);
    await using worker = await Worker.start({ project, port: broker.port });
    for (const callback of ["minimal", "oneline"]) {
      await t.step(callback, async () => {
        // The launcher that waits was made without this file: it is replaced.
        await project.write({
          "ansible.cfg": `[defaults]\nstdout_callback = ${callback}\n`,
        });
        for (const name of ["block, rescue and always", "handlers"]) {
          const i = CORPUS.findIndex((one) => one.name === name);
          const final = await client.run(requestOf(i, callback));
          await Deno.remove(`${project.directory}/ansible.cfg`);
          const { code, text } = await byHand(project, i);
          compare(final, text);
          assert.equal(final.return_code, code);
          await project.write({
            "ansible.cfg": `[defaults]\nstdout_callback = ${callback}\n`,
          });
        }
      });
    }
    assert.equal(await worker.stop(), 0);
  },
});

async function byHand(project: Project, i: number) {
  const { args = [], inventory = "hosts" } = CORPUS[i]!;
  const { code, stdout } = await new Deno.Command("ansible-playbook", {
    args: [`--inventory=${inventory}`, ...args, "--", `${i}/site.yml`],
    cwd: project.directory,
    env: { ...project.environment("hand"), LC_ALL: "C.UTF-8" },
    stdin: "null",
  }).output();
  return { code, text: new TextDecoder().decode(stdout) };
}

/** What a task's run has printed on stdout. */
function printed(client: Client, id: string): string {
  return client.messages
    .filter(({ topic }) => topic === `${base(id)}/output`)
    .map(({ text }) => outputSchema.parse(JSON.parse(text)))
    .filter(({ stream }) => stream === "stdout")
    .map(({ text }) => text)
    .join("");
}

/** Compares with the recap, which is the last thing on stdout. */
function compare(final: TaskStatus, text: string): void {
  const recap = text.slice(text.lastIndexOf("\nPLAY RECAP *") + 1);
  const lines = recap.startsWith("PLAY RECAP")
    ? recap.split("\n").slice(1)
    : [];
  const sums: Record<string, number> = {};
  for (const [column, field] of Object.entries(COLUMNS)) {
    sums[field] = lines.reduce((sum, line) => {
      const found = new RegExp(`\\b${column}=(\\d+)`).exec(line);
      return sum + Number(found?.[1] ?? 0);
    }, 0);
  }
  const counted = Object.fromEntries(
    Object.values(COLUMNS).map((field) => [field, final[field]]),
  );
  assert.deepEqual(counted, sums, `recap:\n${recap}`);
  for (
    const [column, field] of [
      ["failed", "failed_hosts"],
      ["unreachable", "unreachable_hosts"],
    ] as const
  ) {
    const hosts = lines.filter((line) =>
      new RegExp(`\\b${column}=[1-9]`).test(line)
    ).map((line) => line.split(" ")[0]!);
    assert.deepEqual(
      { ...final[field], names: final[field].names.toSorted() },
      { names: hosts.toSorted(), more: 0 },
      `${field}, recap:\n${recap}`,
    );
  }
  assert.equal(final.state, final.return_code === 0 ? "success" : "failed");
  assert.equal(
    final.tasks_total,
    final.tasks_ok + final.tasks_failed + final.tasks_skipped +
      final.tasks_unreachable + final.tasks_rescued,
  );
  if (final.return_code === 0) assert.equal(final.error_message, null);
  else assert.ok(final.error_message, "a failure has a reason");
}

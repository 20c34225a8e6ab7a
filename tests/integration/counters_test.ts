import assert from "node:assert/strict";
import { freePort } from "../../dev/programs.ts";
import { outputSchema, type OutputStream } from "../../src/messages/output.ts";
import type { TaskStatus } from "../../src/messages/task_status.ts";
import { CORPUS, corpusProject, requestOf } from "../ansible/corpus.ts";
import { Broker } from "../harness/broker.ts";
import { Client } from "../harness/client.ts";
import { type Printed, printed, PrintedRuns } from "../harness/printed.ts";
import { Scrape } from "../harness/scrape.ts";
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

/** Cases whose hosts go on several at a time, as they do unless it is forbidden. */
const SEVERAL_AT_A_TIME = [
  "loops",
  "block, rescue and always",
  "handlers",
  "unreachable hosts",
  "strategy free",
];

Deno.test({
  name:
    "each playbook prints what it prints by hand, ends the same, is counted as its recap says, and has one event for each result",
  sanitizeOps: true,
  sanitizeResources: true,
  async fn(t) {
    await using broker = await Broker.start();
    await using project = await corpusProject();
    // Some of what is printed names the user.
    await using hand = new PrintedRuns(project, { USER: "w1" });
    await using client = await Client.connect(broker.port);
    const metrics = freePort();
    await using worker = await Worker.start({
      project,
      port: broker.port,
      worker: {
        ...EVENTS,
        publish_output: true,
        max_concurrent_tasks: 2,
        status_interval: 0.05,
      },
      config: { metrics: { listen: `127.0.0.1:${metrics}` } },
    });
    for (const [i] of CORPUS.entries()) {
      // One host after the other, so that each prints in the same order.
      await client.submit({ ...requestOf(i, "c"), forks: 1 });
    }
    const several = SEVERAL_AT_A_TIME.map((name) =>
      CORPUS.findIndex((one) => one.name === name)
    );
    for (const i of several) await client.submit(requestOf(i, "several"));
    for (const [i, { name, unordered }] of CORPUS.entries()) {
      const final = await client.final(`c-${i}`);
      await t.step(name, async () => {
        const byHand = await hand.byHand({ argv: argumentsOf(i) });
        const ours = printed(final.return_code, {
          stdout: outputOf(client, `c-${i}`, "stdout"),
          stderr: outputOf(client, `c-${i}`, "stderr"),
        });
        if (unordered) assert.deepEqual(linesOf(ours), linesOf(byHand));
        else assert.deepEqual(ours, byHand);
        assertCounted(client, final);
      });
    }
    for (const i of several) {
      const final = await client.final(`several-${i}`);
      await t.step(`${CORPUS[i]!.name}, several hosts at a time`, () => {
        assertCounted(client, final);
      });
    }
    // All of it by the launchers that it began with.
    const replaced = (await Scrape.of(metrics))
      .by("launcher_restarts_total", "reason");
    assert.deepEqual(replaced, {});
    assert.equal(await worker.stop(), 0);
  },
});

/** The counters and the events of a task are what its run has printed. */
function assertCounted(client: Client, final: TaskStatus): void {
  const { task_id: id } = final;
  compare(final, outputOf(client, id, "stdout"));
  const totals = client.history(id)
    .filter(({ state }) => state === "running")
    .map(({ tasks_total }) => tasks_total);
  assert.deepEqual(totals, totals.toSorted((a, b) => a - b));
  const events = told(client, id);
  assert.deepEqual(sums(events), countersOf(final));
  for (const event of events) {
    assert.notEqual(event.play, "", "it is of a play");
    assert.notEqual(event.task, "", "and of a play task");
  }
}

Deno.test({
  name: "the counters do not depend on what ansible.cfg has printed",
  sanitizeOps: true,
  sanitizeResources: true,
  async fn(t) {
    await using broker = await Broker.start();
    await using project = await corpusProject();
    await using hand = new PrintedRuns(project);
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
          const { code, stdout } = await hand.byHand({ argv: argumentsOf(i) });
          compare(final, stdout);
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

/** What by hand says the same as the request, one host after the other. */
function argumentsOf(i: number): string[] {
  const { args = [], inventory = "hosts" } = CORPUS[i]!;
  return [
    `--inventory=${inventory}`,
    "--forks=1",
    ...args,
    "--",
    `${i}/site.yml`,
  ];
}

/** What a task's run has printed on one of its streams. */
function outputOf(
  client: Client,
  id: string,
  wanted: OutputStream,
): string {
  return client.messages
    .filter(({ topic }) => topic === `${base(id)}/output`)
    .map(({ text }) => outputSchema.parse(JSON.parse(text)))
    .filter(({ stream }) => stream === wanted)
    .map(({ text }) => text)
    .join("");
}

/** The lines, each once, in no order. */
function linesOf({ stdout, ...rest }: Printed) {
  return { ...rest, stdout: new Set(stdout.split("\n")) };
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

import assert from "node:assert/strict";
import { Broker } from "../harness/broker.ts";
import { Client } from "../harness/client.ts";
import { killAll, type Process } from "../harness/processes.ts";
import { Project } from "../harness/project.ts";
import { until } from "../harness/waiting.ts";
import { Worker } from "../harness/worker.ts";

/** The worker's `kill_grace`, in seconds. */
const GRACE = 1;

/**
 * The time limit of a run, in seconds. Within it, the run has to get going; if it
 * does not, since the machine is busy, the next one has twice as long.
 */
const LIMIT = 15;

/** Runs that do not want to end. */
const STUBBORN: Record<string, string> = {
  "a shell that ignores signals": `
    - shell: "trap '' TERM INT HUP; touch {{ here }}; sleep 300 & wait; sleep 300"
`,
  "an async job": `
    - command: sleep 300
      async: 1000
      poll: 0
    - shell: "touch {{ here }}; sleep 300"
`,
  "a daemon in a session of its own": `
    - shell: "setsid sh -c 'trap \\"\\" TERM; sleep 300; sleep 300' >/dev/null 2>&1 & touch {{ here }}; sleep 300"
`,
  "a lookup that hangs": `
    - debug: msg="{{ lookup('pipe', 'touch ' ~ here ~ '; sleep 300') }}"
`,
};

function files(): Record<string, string> {
  return Object.fromEntries(
    Object.values(STUBBORN).map((tasks, i) => [
      `${i}.yml`,
      `- hosts: all\n  gather_facts: false\n  tasks:${tasks}`,
    ]),
  );
}

for (
  const [how, end, state] of [
    ["at its time limit", "limit", "timeout"],
    ["by a cancel", "cancel", "cancelled"],
    ["by a signal to the worker", "signal", "cancelled"],
    ["when the worker is killed", "kill", null],
  ] as const
) {
  // Each waits long for its end, so they run side by side, each in a group of
  // its own.
  Deno.test({
    name: `when a run is ended ${how}, nothing of it is left alive`,
    sanitizeOps: true,
    sanitizeResources: true,
    async fn(t) {
      await using broker = await Broker.start();
      const passed = await Promise.all(
        Object.keys(STUBBORN).map((name, i) =>
          t.step({
            name,
            sanitizeOps: false,
            sanitizeResources: false,
            sanitizeExit: false,
            fn: () => ended(i, { broker, end, state }),
          })
        ),
      );
      assert.ok(passed.every((one) => one));
    },
  });
}

/** Ends a run, and looks what is left. */
async function ended(
  i: number,
  { broker, end, state }: {
    broker: Broker;
    end: "limit" | "cancel" | "signal" | "kill";
    state: string | null;
  },
): Promise<void> {
  const group = `group-${i}`;
  await using project = await Project.create(files());
  await using client = await Client.connect(broker.port, { group });
  await using worker = await Worker.start({
    project,
    port: broker.port,
    worker: { group_name: group, kill_grace: GRACE, shutdown_grace: 0 },
  });
  const here = project.path("here");
  let limit = LIMIT;
  const id = () => `t-${limit}`;
  let launchers = new Set<number>();
  let watchers: Process[] = [];
  for (;; limit *= 2) {
    await client.submit({
      task_id: id(),
      playbook: `${i}.yml`,
      inventory: "hosts",
      extra_vars: { here },
      ...(end === "limit" ? { timeout: limit } : {}),
    });
    await until(
      "the run",
      () =>
        Deno.stat(here).then(
          () => true,
          () => client.history(id()).some(({ completed_at }) => completed_at),
        ),
    );
    ({ launchers, watchers } = await standing(project, worker.pid));
    const seen = await project.runs();
    if (seen.some(({ command }) => command.includes("sleep 300"))) break;
    assert.equal(end, "limit", "the run is seen while it lives");
    assert.equal((await client.final(id())).state, "timeout");
    await Deno.remove(here).catch(() => {});
  }
  assert.equal(watchers.length, 1, "one run, and who watches over it");
  // The worker lives on after a limit or a cancel: if it were killed before we
  // look, that alone would end the run.
  if (end === "cancel") await client.cancel(id(), "not tonight");
  if (end === "signal") worker.signal("SIGTERM");
  if (end === "kill") await worker.kill();
  if (state) {
    const final = await client.final(id());
    assert.equal(final.state, state);
    assert.equal(final.tasks_failed, 0);
    if (end === "limit") {
      assert.match(
        final.error_message!,
        new RegExp(`the time limit of ${limit} s`),
      );
    }
    if (end === "cancel") {
      assert.match(final.error_message!, /cancelled: not tonight/);
    }
    // Who watches over it says that it has ended, and leaves then; and launchers
    // leave after their worker, which may be gone before we look.
    const left = (await project.runs())
      .filter(({ pid }) => pid !== watchers[0]!.pid && !launchers.has(pid));
    assert.deepEqual(
      left.map(({ command }) => command),
      [],
      "nothing is left when the final status is there",
    );
  }
  await project.quiet();
  if (end === "limit" || end === "cancel") {
    const next = await client.run(project.work("next"));
    assert.equal(next.state, "success");
  }
}

/** The launchers of a worker, and their children, who watch over its runs. */
async function standing(
  project: Project,
  worker: number,
): Promise<{ launchers: Set<number>; watchers: Process[] }> {
  const all = await project.processes();
  const launchers = new Set(
    all.filter(({ parent }) => parent === worker).map(({ pid }) => pid),
  );
  const watchers = all.filter(({ name, parent }) =>
    launchers.has(parent) && name !== "module-imports"
  );
  return { launchers, watchers };
}

Deno.test({
  name: "what a run leaves behind at its normal end is left alone",
  sanitizeOps: true,
  sanitizeResources: true,
  async fn() {
    await using broker = await Broker.start();
    await using project = await Project.create({
      "leave.yml": `
- hosts: all
  gather_facts: false
  tasks:
    - shell: "setsid sleep 300 >/dev/null 2>&1 & echo $! > {{ file }}"
`,
    });
    await using client = await Client.connect(broker.port);
    await using worker = await Worker.start({ project, port: broker.port });
    const file = project.path("pid");
    const final = await client.run({
      task_id: "leave",
      playbook: "leave.yml",
      inventory: "hosts",
      extra_vars: { file },
    });
    assert.equal(final.state, "success");
    // Ending another run does not touch it, nor does the end of the worker.
    const limited = await client.run(
      project.work("next", { seconds: 30, timeout: 1 }),
    );
    assert.equal(limited.state, "timeout");
    assert.equal(await worker.stop(), 0);
    const left = (await project.processes()).filter(({ command }) =>
      command === "sleep 300"
    );
    assert.ok(left.length >= 1, "the daemon is alive");
    killAll(left);
    assert.equal(await worker.stop(), 0);
    await project.quiet();
  },
});

import assert from "node:assert/strict";
import type { TaskStatus } from "../../src/messages/task_status.ts";
import { Broker } from "../harness/broker.ts";
import { localHosts, Project } from "../harness/project.ts";
import { PATIENCE, until, within } from "../harness/waiting.ts";
import { Worker } from "../harness/worker.ts";

/** In this order, always all of them. */
const FIELDS = [
  "task_id",
  "state",
  "created_at",
  "started_at",
  "completed_at",
  "duration_seconds",
  "tasks_total",
  "tasks_ok",
  "tasks_changed",
  "tasks_failed",
  "tasks_skipped",
  "tasks_unreachable",
  "return_code",
  "error_message",
  "tasks_rescued",
  "tasks_ignored",
  "playbook",
  "inventory",
  "worker_id",
  "current_task",
  "template",
  "revision",
  "lock",
  "failed_hosts",
  "unreachable_hosts",
  "stats",
];

const COUNTERS = FIELDS.filter((field) => field.startsWith("tasks_"));

const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

/** What a run of the playbook below takes: all fields that a request has. */
const REQUEST = {
  task_id: "deploy-2024-06-01",
  playbook: "site.yml",
  inventory: "production",
  extra_vars: { release: "1.4.2", how: "well", go: "go" },
  limit: "web1:web2",
  tags: ["deploy"],
  skip_tags: ["slow"],
  verbosity: 1,
  check_mode: false,
  diff_mode: true,
  forks: 10,
  timeout: 60,
};

const SITE = `
- hosts: all
  gather_facts: false
  tags: [deploy]
  tasks:
    - name: fetch {{ release }}
      debug:
        msg: "{{ lookup('pipe', 'until [ -e ' ~ go ~ '-fetch ]; do sleep 0.05; done') }}"
    - name: install {{ release }}
      command: "true"
    - name: restart
      debug: msg=restart
      when: inventory_hostname == "web1"
    - name: wait for it
      debug:
        msg: "{{ lookup('pipe', 'until [ -e ' ~ go ~ '-on ]; do sleep 0.05; done') }}"
    - name: look whether it works
      fail: msg="it does not work"
      when: how == "badly"
    - name: not asked for
      fail: msg="this is slow"
      tags: [slow]
`;

Deno.test({
  name:
    "a request from mosquitto_pub is answered with every field, in order, right in every state, for mosquitto_sub",
  sanitizeOps: true,
  sanitizeResources: true,
  async fn(t) {
    await using broker = await Broker.start();
    await using project = await Project.create({
      production: localHosts("web1", "web2", "db1"),
      "site.yml": SITE,
    });
    await using worker = await Worker.start({
      project,
      port: broker.port,
      worker: { group_name: "production", max_concurrent_tasks: 2 },
    });
    await using watching = new Subscriber(
      broker.port,
      "ansible/production/tasks/+/status",
    );
    await watching.ready;
    const publishAtQos0 = (topic: string, message: string) =>
      run("mosquitto_pub", [
        ...["-h", "127.0.0.1", "-p", String(broker.port)],
        ...["-t", `ansible/production/${topic}`, "-m", message],
      ]);
    const publish = (topic: string, message: string, ...more: string[]) =>
      run("mosquitto_pub", [
        ...["-h", "127.0.0.1", "-p", String(broker.port), "-q", "2"],
        ...["-t", `ansible/production/${topic}`, "-m", message, ...more],
      ]);
    /** Where the files are for which a run waits. */
    const go = (id: string) => project.path(`go-${id}`);
    const asked = (
      { task_id = REQUEST.task_id, how = "well", timeout = REQUEST.timeout } =
        {},
    ) =>
      JSON.stringify({
        ...REQUEST,
        task_id,
        timeout,
        extra_vars: { ...REQUEST.extra_vars, how, go: go(task_id) },
      });
    /** Lets a run go on when it is said that it is at a play task. */
    const goOn = async (id: string, at: string, file: string) => {
      await watching.until(id, isAt(at));
      await Deno.writeTextFile(`${go(id)}-${file}`, "");
    };
    const goOnToTheEnd = async (id: string) => {
      await goOn(id, "fetch 1.4.2", "fetch");
      await goOn(id, "wait for it", "on");
    };

    await t.step("a run that is asked for with no -q at all", async () => {
      await publishAtQos0("tasks", asked({ task_id: "no-q" }));
      await goOnToTheEnd("no-q");
      const history = await watching.history("no-q");
      check(history);
      assert.equal(history.at(-1)!.state, "success");
    });

    await t.step("a run that succeeds", async () => {
      await publish("tasks", asked(), "-V", "5");
      await goOnToTheEnd(REQUEST.task_id);
      const history = await watching.history(REQUEST.task_id);
      check(history);
      assert.deepEqual(rest(history.at(-1)!), {
        task_id: REQUEST.task_id,
        state: "success",
        tasks_total: 10,
        tasks_ok: 7,
        tasks_changed: 2,
        tasks_failed: 0,
        tasks_skipped: 3,
        tasks_unreachable: 0,
        return_code: 0,
        error_message: null,
        tasks_rescued: 0,
        tasks_ignored: 0,
        playbook: "site.yml",
        inventory: "production",
        worker_id: "w1",
        current_task: null,
        template: null,
        revision: null,
        lock: null,
        failed_hosts: { names: [], more: 0 },
        unreachable_hosts: { names: [], more: 0 },
        stats: null,
      });
      const first = history.find(({ tasks_ok }) => tasks_ok > 0)!;
      assert.equal(first.tasks_total, 10, "a static playbook's total is known");
      const at = history.map(({ current_task }) => current_task);
      assert.ok(at.includes("fetch 1.4.2"), `named as Ansible does: ${at}`);
      assert.ok(at.includes("wait for it"));
    });
    await t.step("a run that fails", async () => {
      await publish("tasks", asked({ task_id: "fails", how: "badly" }));
      await goOnToTheEnd("fails");
      const history = await watching.history("fails");
      check(history);
      const final = history.at(-1)!;
      assert.equal(final.state, "failed");
      assert.equal(final.return_code, 2);
      assert.equal(final.tasks_failed, 2);
      // As they fail, which is in any order.
      assert.deepEqual(final.error_message!.split("\n").sort(), [
        'web1: failed at "look whether it works": it does not work',
        'web2: failed at "look whether it works": it does not work',
      ]);
    });
    await t.step("a run that takes too long", async () => {
      let history: TaskStatus[] = [];
      // On a busy machine it may not have come as far within that time.
      for (let timeout = 1.5;; timeout *= 2) {
        const id = `timeout-${timeout}`;
        await Deno.writeTextFile(`${go(id)}-fetch`, "");
        await publish("tasks", asked({ task_id: id, timeout }));
        history = await watching.history(id);
        const final = history.at(-1)!;
        assert.equal(final.state, "timeout");
        assert.ok(
          final.error_message!.includes(`time limit of ${timeout} s`),
          final.error_message!,
        );
        if (history.some(isAt("wait for it"))) break;
        assert.ok(timeout < PATIENCE, "it comes that far in time");
      }
      check(history);
    });
    await t.step("a run that is cancelled", async () => {
      const id = "cancelled";
      await publish("tasks", asked({ task_id: id }));
      await goOn(id, "fetch 1.4.2", "fetch");
      await watching.until(id, isAt("wait for it"));
      await publish(
        `tasks/${id}/cancel`,
        JSON.stringify({ reason: "no longer wanted" }),
      );
      const history = await watching.history(id);
      check(history);
      assert.equal(history.at(-1)!.state, "cancelled");
      assert.match(
        history.at(-1)!.error_message!,
        /cancelled: no longer wanted/,
      );
    });
    await t.step("who comes later sees how it ended", async () => {
      const text = await run("mosquitto_sub", [
        ...["-h", "127.0.0.1", "-p", String(broker.port), "-C", "1"],
        ...["-W", String(PATIENCE), "-F", "%r %p", "-t"],
        `ansible/production/tasks/${REQUEST.task_id}/status`,
      ]);
      const final = (await watching.history(REQUEST.task_id)).at(-1);
      assert.deepEqual(JSON.parse(text.replace(/^1 /, "")), final);
    });
    console.log(`${watching.seen} statuses, each with all fields in order`);
    assert.equal(await worker.stop(), 0);
  },
});

/** Whether a status says that its run is at a play task. */
function isAt(name: string): (status: TaskStatus) => boolean {
  return ({ current_task }) => current_task === name;
}

/** What is true of the statuses of every task. */
function check(history: TaskStatus[]): void {
  const states = history.map(({ state }) => state);
  assert.equal(states[0], "queued");
  assert.ok(states.slice(1, -1).every((state) => state === "running"));
  assert.ok(states.length >= 4, `updates while it runs: ${states}`);
  for (const [i, status] of history.entries()) {
    const before = history[i - 1];
    assert.deepEqual(Object.keys(status), FIELDS);
    const isFinal = status === history.at(-1);
    assert.match(status.created_at, TIME);
    assert.equal(status.created_at, history[0]!.created_at);
    if (status.state === "queued") {
      assert.equal(status.started_at, null);
      assert.equal(status.duration_seconds, null);
      assert.ok(COUNTERS.every((name) => status[name as "tasks_ok"] === 0));
    } else {
      assert.match(status.started_at!, TIME);
      assert.ok(status.started_at! >= status.created_at);
      assert.ok(status.duration_seconds! >= (before?.duration_seconds ?? 0));
    }
    if (isFinal) {
      assert.match(status.completed_at!, TIME);
      const wall = Date.parse(status.completed_at!) -
        Date.parse(status.started_at!);
      assert.ok(Math.abs(wall / 1000 - status.duration_seconds!) < 0.01);
      assert.equal(
        status.tasks_total,
        status.tasks_ok + status.tasks_failed + status.tasks_skipped +
          status.tasks_unreachable + status.tasks_rescued,
      );
      assert.equal(status.current_task, null);
    } else {
      assert.equal(status.completed_at, null);
      assert.equal(status.return_code, null);
      assert.equal(status.error_message, null);
    }
    if (before && !isFinal) {
      for (const name of COUNTERS as "tasks_ok"[]) {
        assert.ok(status[name] >= before[name], `${name} never shrinks`);
      }
    }
  }
}

/** A status without the fields that differ from run to run. */
function rest(status: TaskStatus): Record<string, unknown> {
  const { created_at: _a, started_at: _b, completed_at: _c, ...more } = status;
  const { duration_seconds: _d, ...rest } = more;
  return rest;
}

/** What mosquitto_sub prints, as statuses. */
class Subscriber implements AsyncDisposable {
  /** Settles when it is subscribed. */
  readonly ready: Promise<void>;
  readonly #child: Deno.ChildProcess;
  readonly #reading: Promise<void>;
  readonly #statuses: TaskStatus[] = [];
  #debug = "";

  constructor(port: number, topic: string) {
    this.#child = new Deno.Command("stdbuf", {
      args: [
        ...["-oL", "mosquitto_sub", "-d", "-h", "127.0.0.1"],
        ...["-p", String(port), "-q", "1", "-F", "status %p", "-t", topic],
      ],
      stdin: "null",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    this.#reading = this.#read();
    this.ready = until("SUBACK", () => this.#debug.includes("SUBACK"));
  }

  /** How many statuses have come. */
  get seen(): number {
    return this.#statuses.length;
  }

  /** Settles when a status fits. */
  async until(id: string, fits: (s: TaskStatus) => boolean): Promise<void> {
    await until(
      `a status of ${id}`,
      () => this.#statuses.some((one) => one.task_id === id && fits(one)),
    );
  }

  /** All statuses of a task, when its final one is there. */
  async history(id: string): Promise<TaskStatus[]> {
    await this.until(id, ({ completed_at }) => completed_at !== null);
    return this.#statuses.filter(({ task_id }) => task_id === id);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGTERM");
    await within("the end of mosquitto_sub", this.#child.status);
    await this.#reading;
  }

  async #read(): Promise<void> {
    let line = "";
    const texts = this.#child.stdout.pipeThrough(new TextDecoderStream());
    for await (const text of texts) {
      const lines = (line + text).split("\n");
      line = lines.pop()!;
      for (const one of lines) {
        if (one.startsWith("status ")) {
          this.#statuses.push(JSON.parse(one.slice(7)));
        } else this.#debug += one;
      }
    }
  }
}

async function run(program: string, args: string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(program, {
    args,
    stdin: "null",
  }).output();
  assert.ok(success, new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout);
}

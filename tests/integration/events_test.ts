import assert from "node:assert/strict";
import { Broker } from "../harness/broker.ts";
import { Client } from "../harness/client.ts";
import { localHosts, Project } from "../harness/project.ts";
import { Worker } from "../harness/worker.ts";
import { base, EVENTS, told } from "./told_events.ts";

const options = { sanitizeOps: true, sanitizeResources: true };

Deno.test({
  ...options,
  name: "the events of 50 hosts are complete and in order",
  async fn() {
    const hosts = Array.from({ length: 50 }, (_, i) => `h${i}`);
    const tasks = Array.from({ length: 6 }, (_, i) => `task ${i}`);
    await using broker = await Broker.start();
    await using project = await Project.create({
      hosts: localHosts(...hosts),
      "wide.yml": playbook(
        tasks.map((name) =>
          `    - name: ${name}\n      debug: msg="{{ inventory_hostname }}"\n`
        ).join(""),
      ),
    });
    await using client = await Client.connect(broker.port);
    await using worker = await Worker.start({
      project,
      port: broker.port,
      worker: EVENTS,
    });
    const final = await client.run({
      task_id: "wide",
      playbook: "wide.yml",
      inventory: "hosts",
      forks: 10,
    }, 300);
    assert.equal(final.tasks_ok, 6 * 50);
    const events = told(client, "wide");
    const starts = events.filter(({ event }) => event === "task_start");
    assert.deepEqual(starts.map(({ task }) => task), tasks);
    for (const [i, name] of tasks.entries()) {
      const from = events.indexOf(starts[i]!) + 1;
      const results = events.slice(from, from + hosts.length);
      for (const { event, task, state, play } of results) {
        assert.deepEqual(
          { event, task, state, play },
          { event: "result", task: name, state: "ok", play: "all" },
        );
      }
      assert.deepEqual(
        results.map(({ host }) => host).sort(),
        hosts.toSorted(),
      );
      for (const { host, message, duration_seconds } of results) {
        assert.equal(message, host);
        assert.ok(duration_seconds! > 0);
      }
    }
    assert.equal(events.length, 6 * 51);
    assert.equal(await worker.stop(), 0);
  },
});

Deno.test({
  ...options,
  name: "an event says what happened, to whom and why",
  async fn() {
    await using broker = await Broker.start();
    await using project = await Project.create({
      "story.yml": playbook(`
    - name: greet
      debug: msg="hello {{ inventory_hostname }}"
    - name: "a name with {{ word }}"
      command: "true"
    - name: several
      debug: msg="{{ item }}"
      loop: [one, two]
    - name: skipped
      debug: msg=never
      when: false
    - name: ignored
      fail: msg="so what"
      ignore_errors: true
    - block:
        - name: rescued
          fail: msg=help
      rescue:
        - name: rescue
          debug:
            msg: [1, { "a": "ä" }]
    - name: long
      debug: msg="{{ 'ü' * 3000 }}"
    - name: the end
      fail: { msg: "it is over \\e[31m" }
`),
    });
    await using client = await Client.connect(broker.port);
    await using worker = await Worker.start({
      project,
      port: broker.port,
      worker: EVENTS,
    });
    const final = await client.run({
      task_id: "story",
      playbook: "story.yml",
      inventory: "hosts",
      extra_vars: { word: "sugar" },
    });
    assert.match(final.error_message!, /it is over/);
    const events = told(client, "story");
    assert.deepEqual(
      events.filter(({ event }) => event === "result").map((
        { task, host, state, changed, message },
      ) => [task, host, state, changed, message]),
      [
        ["greet", "h1", "ok", false, "hello h1"],
        ["a name with sugar", "h1", "changed", true, null],
        ["several", "h1", "ok", false, "one\ntwo"],
        [
          "skipped",
          "h1",
          "skipped",
          false,
          "Conditional result was False",
        ],
        ["ignored", "h1", "ignored", false, "so what"],
        ["rescued", "h1", "rescued", false, "help"],
        ["rescue", "h1", "ok", false, '[1, {"a": "ä"}]'],
        ["long", "h1", "ok", false, "ü".repeat(2000) + "…"],
        ["the end", "h1", "failed", false, "it is over  [31m"],
      ],
    );
    for (const one of events.filter(({ event }) => event === "task_start")) {
      const { host, state, changed, duration_seconds, message } = one;
      assert.deepEqual(
        [host, state, changed, duration_seconds, message],
        [null, null, null, null, null],
      );
    }
    const times = events.map(({ time }) => time);
    assert.deepEqual(times, times.toSorted());
    assert.equal(await worker.stop(), 0);
  },
});

Deno.test({
  ...options,
  name: "what is under no_log is in no event, no output and no status",
  async fn() {
    await using broker = await Broker.start();
    await using project = await Project.create({
      "secret.yml": playbook(`
    - debug: msg="{{ secret }}"
      no_log: true
    - command: "echo {{ secret }}"
      no_log: true
    - debug: msg="{{ item.text }}"
      loop:
        - { text: "{{ secret }}", hide: true }
        - { text: open, hide: false }
      loop_control: { label: an item }
      no_log: "{{ item.hide }}"
`),
      "fail.yml": playbook(`
    - fail: msg="{{ secret }}"
      no_log: true
      ignore_errors: true
    - fail: msg="{{ item.text }}"
      loop: [{ text: "{{ secret }}", hide: true }]
      loop_control: { label: an item }
      no_log: "{{ item.hide }}"
`),
    });
    await using client = await Client.connect(broker.port);
    await using worker = await Worker.start({
      project,
      port: broker.port,
      worker: { ...EVENTS, publish_output: true },
    });
    for (
      const [id, state, leaves] of [
        ["secret", "success", ["status", "events", "output"]],
        // From 2.19 on, ansible-playbook prints why a task under no_log has
        // failed; that is then in the output, which is what it prints.
        ["fail", "failed", ["status", "events"]],
      ] as const
    ) {
      const final = await client.run({
        task_id: id,
        playbook: `${id}.yml`,
        inventory: "hosts",
        extra_vars: { secret: "xyzzy" },
      });
      assert.equal(final.state, state, final.error_message ?? "");
      const results = told(client, id)
        .filter(({ event }) => event === "result");
      assert.equal(results.length, id === "secret" ? 3 : 2);
      for (const { message } of results) assert.match(message!, /no_log/);
      for (const leaf of leaves) {
        const about = client.messages.filter(({ topic }) =>
          topic === `${base(id)}/${leaf}`
        );
        assert.ok(about.length > 0);
        for (const { text } of about) assert.doesNotMatch(text, /xyzzy/);
      }
    }
    assert.equal(await worker.stop(), 0);
  },
});

Deno.test({
  ...options,
  name: "a worker tells nothing unless it is asked to, and changes at SIGHUP",
  async fn() {
    await using broker = await Broker.start();
    await using project = await Project.create();
    await using client = await Client.connect(broker.port);
    await using worker = await Worker.start({ project, port: broker.port });
    await client.run(project.work("quiet"));
    const file = project.path("w1.yaml");
    const config = JSON.parse(await Deno.readTextFile(file));
    Object.assign(config.worker, { ...EVENTS, publish_output: true });
    await Deno.writeTextFile(file, JSON.stringify(config));
    worker.signal("SIGHUP");
    await worker.logged("the configuration was read again");
    assert.doesNotMatch(worker.log, /needs_restart/);
    await client.run(project.work("told"));
    const topics = (id: string) =>
      new Set(
        client.messages.map(({ topic }) => topic)
          .filter((topic) => topic.startsWith(`ansible/test/tasks/${id}/`)),
      );
    assert.deepEqual(topics("quiet"), new Set([`${base("quiet")}/status`]));
    assert.deepEqual(
      topics("told"),
      new Set(
        ["status", "events", "output"].map((x) => `${base("told")}/${x}`),
      ),
    );
    // Not retained.
    for (const leaf of ["events", "output"]) {
      assert.equal(
        await client.retained(broker.port, `${base("told")}/${leaf}`),
        null,
      );
    }
    assert.equal(await worker.stop(), 0);
  },
});

function playbook(tasks: string): string {
  return `- hosts: all\n  gather_facts: false\n  tasks:\n${tasks}`;
}

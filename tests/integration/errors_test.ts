import assert from "node:assert/strict";
import { rejectedSchema } from "../../src/messages/rejected.ts";
import { Broker } from "../harness/broker.ts";
import { Client } from "../harness/client.ts";
import { localHosts, Project } from "../harness/project.ts";
import { pause, within } from "../harness/waiting.ts";
import { Worker } from "../harness/worker.ts";

Deno.test({
  name:
    "a message that is no request is reported with its reason, and no status",
  sanitizeOps: true,
  sanitizeResources: true,
  async fn(t) {
    await using broker = await Broker.start();
    await using project = await Project.create();
    await using client = await Client.connect(broker.port);
    await using worker = await Worker.start({ project, port: broker.port });
    const good = { task_id: "x", playbook: "work.yml", inventory: "hosts" };
    const cases: [string, string | Uint8Array, string, RegExp][] = [
      ["nothing", "", "invalid_json", /JSON/],
      ["half of it", '{"task_id": "x"', "invalid_json", /JSON/],
      [
        "not UTF-8",
        new Uint8Array([0x22, 0xff, 0x22]),
        "invalid_json",
        /UTF-8/,
      ],
      ["a list", "[]", "invalid_request", /object/],
      [
        "no fields",
        "{}",
        "invalid_request",
        /task_id is required.*playbook is required.*inventory is required/,
      ],
      [
        "an unknown field",
        JSON.stringify({ ...good, hosts: "all" }),
        "invalid_request",
        /hosts is not a field/,
      ],
      [
        "a bad id",
        JSON.stringify({ ...good, task_id: "a/b" }),
        "invalid_request",
        /task_id must be 1 to 128/,
      ],
      [
        "a bad verbosity",
        JSON.stringify({ ...good, verbosity: 7 }),
        "invalid_request",
        /verbosity/,
      ],
      [
        "a bad type",
        JSON.stringify({ ...good, forks: "5" }),
        "invalid_request",
        /forks/,
      ],
      [
        "a long time limit",
        JSON.stringify({ ...good, timeout: 604801 }),
        "invalid_request",
        /timeout/,
      ],
      [
        "a control character",
        JSON.stringify({ ...good, limit: "a\nb" }),
        "invalid_request",
        /limit must not contain control/,
      ],
    ];
    for (const [name, payload, reason, problem] of cases) {
      await t.step(name, async () => {
        const before = client.rejected().length;
        await client.publish("ansible/test/tasks", payload, { qos: 2 });
        await client.message(
          "the report",
          () => client.rejected().length > before,
        );
        const report = client.rejected().at(-1)!;
        rejectedSchema.parse(report);
        assert.equal(report.reason, reason);
        assert.equal(report.worker_id, "w1");
        const told = (report.errors as { path: string; message: string }[])
          .map(({ path, message }) => `${path} ${message}`.trim()).join("; ");
        assert.match(told, problem);
      });
    }
    // What comes after all of them proves that nothing is still on its way.
    assert.equal((await client.run(project.work("next"))).state, "success");
    assert.deepEqual(
      client.messages.filter(({ topic }) =>
        topic.endsWith("/status") && topic.includes("/tasks/") &&
        topic !== "ansible/test/tasks/next/status"
      ),
      [],
    );
    assert.equal(await worker.stop(), 0);
  },
});

Deno.test({
  name:
    "what cannot or must not be run is failed with its reason, and runs nothing",
  sanitizeOps: true,
  sanitizeResources: true,
  async fn(t) {
    await using broker = await Broker.start();
    await using project = await Project.create();
    await Deno.writeTextFile(project.path("outside.yml"), "- hosts: all\n");
    await Deno.symlink(
      project.path("outside.yml"),
      `${project.directory}/link.yml`,
    );
    await Deno.mkdir(`${project.directory}/sub`);
    await using client = await Client.connect(broker.port);
    await using worker = await Worker.start({ project, port: broker.port });
    const cases: [string, Record<string, unknown>, RegExp][] = [
      [
        "no such playbook",
        { playbook: "no.yml" },
        /playbook "no.yml" was not found in the playbook directory/,
      ],
      [
        "a slip in the playbook's name",
        { playbook: "wrok.yaml" },
        /was not found in the playbook directory; did you mean "work\.yml"\?/,
      ],
      [
        "a slip in the inventory's name",
        { inventory: "host" },
        /was not found in the inventory directory; did you mean "hosts"\?/,
      ],
      ["a directory", { playbook: "sub" }, /playbook "sub" is not a file/],
      [
        "outside",
        { playbook: "../outside.yml" },
        /playbook "..\/outside.yml" must not contain ".."/,
      ],
      [
        "by a link",
        { playbook: "link.yml" },
        /playbook "link.yml" is outside the playbook directory/,
      ],
      ["absolute", { playbook: "/etc/passwd" }, /must be a path relative/],
      [
        "no such inventory",
        { inventory: "no" },
        /inventory "no" was not found in the inventory directory/,
      ],
      [
        "one of several inventories that there is not",
        { inventory: ["hosts", "no"] },
        /inventory "no" was not found in the inventory directory/,
      ],
      [
        "one of several inventories outside",
        { inventory: ["h1,", "../outside.yml"] },
        /inventory "..\/outside.yml" must not contain ".."/,
      ],
      [
        "too many hosts in several lists",
        { inventory: ["h[1:6000],", "g[1:6000],"] },
        /inventory "g\[1:6000\]," must not be more than 10000 hosts/,
      ],
      ["inventory outside", { inventory: "../outside.yml" }, /inventory/],
      [
        "a variable as inventory",
        { inventory: "$HOME" },
        /must not contain "\$"/,
      ],
      [
        "a file as limit",
        { limit: "@/etc/shadow" },
        /limit "@\/etc\/shadow" must not name a file/,
      ],
      [
        "a name of Ansible's",
        { extra_vars: { ansible_connection: "local" } },
        /"ansible_connection" is Ansible's own/,
      ],
      [
        "no name",
        { extra_vars: { "a b": 1 } },
        /"a b" is not the name of a variable/,
      ],
      ["a key of the decoder's", {
        extra_vars: { a: [{ __ansible_vault: "x" }] },
      }, /"__ansible_vault" is not allowed/],
    ];
    for (const [i, [name, change, reason]] of cases.entries()) {
      await t.step(name, async () => {
        const final = await client.run({
          task_id: `t-${i}`,
          playbook: "work.yml",
          inventory: "hosts",
          ...change,
        });
        assert.equal(final.state, "failed");
        assert.equal(final.started_at, null);
        assert.equal(final.return_code, null);
        assert.match(final.error_message!, reason);
        assert.equal(client.history(`t-${i}`).length, 1);
      });
    }
    assert.deepEqual(await project.truth(), []);
    assert.equal((await client.run(project.work("next"))).state, "success");
    assert.equal(await worker.stop(), 0);
  },
});

Deno.test({
  name: "a failure names the host, the play task and Ansible's message",
  sanitizeOps: true,
  sanitizeResources: true,
  async fn() {
    await using broker = await Broker.start();
    await using project = await Project.create({
      "fail.yml": `
- hosts: all
  gather_facts: false
  tasks:
    - name: look for it
      command: cat /no/such/file
    - name: secret
      fail: msg=hidden-from-everybody
      no_log: true
`,
      "secret.yml": `
- hosts: all
  gather_facts: false
  tasks:
    - name: secret
      fail: msg=hidden-from-everybody
      no_log: true
`,
      "parse.yml": "- hosts: all\n  tasks: [\n",
    });
    await using client = await Client.connect(broker.port);
    await using worker = await Worker.start({ project, port: broker.port });
    const run = (playbook: string) =>
      client.run({ task_id: playbook, playbook, inventory: "hosts" });
    const failed = await run("fail.yml");
    assert.equal(failed.return_code, 2);
    assert.match(
      failed.error_message!,
      /^h1: failed at "look for it": .*No such file or directory/,
    );
    const secret = await run("secret.yml");
    assert.match(secret.error_message!, /no_log/);
    assert.ok(!JSON.stringify(client.messages).includes("hidden-from"));
    assert.ok(!worker.log.includes("hidden-from"));
    const parse = await run("parse.yml");
    assert.equal(parse.return_code, 4);
    assert.match(parse.error_message!, /ERROR[!\]].*(YAML|syntax)/s);
    assert.equal(await worker.stop(), 0);
  },
});

Deno.test({
  name: "where many hosts fail, the first are told in full, and how many more",
  sanitizeOps: true,
  sanitizeResources: true,
  async fn() {
    const hosts = Array.from({ length: 25 }, (_, i) => `host${i}`);
    await using broker = await Broker.start();
    await using project = await Project.create({
      many: localHosts(...hosts),
      "fail.yml": `
- hosts: all
  gather_facts: false
  tasks:
    - name: check it
      fail: msg="{{ inventory_hostname }} is broken"
`,
    });
    await using client = await Client.connect(broker.port);
    await using worker = await Worker.start({ project, port: broker.port });
    const final = await client.run({
      task_id: "many",
      playbook: "fail.yml",
      inventory: "many",
    });
    assert.equal(final.tasks_failed, 25);
    const lines = final.error_message!.split("\n");
    const more = Number(/^and (\d+) more$/.exec(lines.pop()!)?.[1]);
    assert.equal(lines.length + more, 25);
    assert.ok(lines.length >= 3);
    for (const line of lines) {
      assert.match(line, /^(host\d+): failed at "check it": \1 is broken$/);
    }
    assert.equal(await worker.stop(), 0);
  },
});

Deno.test({
  name: "a task id that was just used is reported, and not run again",
  sanitizeOps: true,
  sanitizeResources: true,
  async fn(t) {
    await using broker = await Broker.start();
    await using project = await Project.create();
    await using client = await Client.connect(broker.port);
    await using worker = await Worker.start({ project, port: broker.port });
    for (const [id, state] of [["r", "running"], ["d", "success"]] as const) {
      const held = state === "running";
      await t.step(held ? "while it runs" : "after its end", async () => {
        const request = project.work(id, { held });
        await client.submit(request);
        await client.status(
          request.task_id,
          (status) => status.state === state,
        );
        const before = client.history(request.task_id).length;
        await client.submit(request);
        await client.message(
          "the report",
          ({ topic, text }) =>
            topic === "ansible/test/rejected" &&
            JSON.parse(text).task_id === request.task_id,
        );
        const report = client.rejected().at(-1)!;
        rejectedSchema.parse(report);
        assert.equal(report.reason, "duplicate");
        if (held) await project.release(id);
        const final = await client.final(request.task_id);
        assert.equal(final.state, "success");
        const history = client.history(request.task_id);
        assert.ok(
          history.slice(before).every((status) => status.state !== "queued"),
        );
      });
    }
    // Something that comes after both proves that neither is still on its way.
    await client.run(project.work("next"));
    const starts = (await project.truth()).filter(({ what }) =>
      what === "start"
    );
    assert.deepEqual(starts.map(({ id }) => id), ["r", "d", "next"]);
    assert.equal(await worker.stop(), 0);
  },
});

Deno.test({
  name:
    "a task id that is used again each duplicate_window seconds runs each time",
  sanitizeOps: true,
  sanitizeResources: true,
  async fn() {
    const WINDOW = 3;
    await using broker = await Broker.start();
    await using project = await Project.create();
    await using client = await Client.connect(broker.port);
    await using worker = await Worker.start({
      project,
      port: broker.port,
      worker: { duplicate_window: WINDOW },
    });
    const created = new Set<string>();
    for (let time = 1; time <= 3; time++) {
      await client.submit(project.work("again", { seconds: 1.5 }));
      // It began later than it was accepted, and ended later still.
      const { state, created_at } = await client.status(
        "again",
        ({ completed_at, created_at }) =>
          completed_at !== null && !created.has(created_at),
      );
      assert.equal(state, "success");
      created.add(created_at);
      const next = Date.parse(created_at) + WINDOW * 1000;
      await pause(Math.max(0, next - Date.now()) / 1000);
    }
    assert.deepEqual(client.rejected(), []);
    const starts = (await project.truth()).filter(({ what }) =>
      what === "start"
    );
    assert.equal(starts.length, 3);
    assert.equal(await worker.stop(), 0);
  },
});

Deno.test({
  name:
    "without a usable ansible-playbook the worker does not start, and says so",
  sanitizeOps: true,
  sanitizeResources: true,
  async fn(t) {
    await using broker = await Broker.start();
    await using project = await Project.create();
    const programs: [string, string | null, RegExp][] = [
      [
        "missing",
        null,
        /Cannot start "ansible-playbook": looked for it in PATH \(.*empty\)/,
      ],
      [
        "broken",
        "#!/bin/sh\necho it is broken >&2\nexit 3\n",
        /ended with 3: it is broken/,
      ],
      [
        "something else",
        "#!/bin/sh\necho hello\nsleep 5\n",
        /said something unexpected: "hello"/,
      ],
    ];
    for (const [name, program, reason] of programs) {
      await t.step(name, async () => {
        const path = project.path(program === null ? "empty" : name);
        await Deno.mkdir(path, { recursive: true });
        if (program !== null) {
          await Deno.writeTextFile(`${path}/ansible-playbook`, program, {
            mode: 0o755,
          });
        }
        await using worker = await Worker.spawn({
          project,
          port: broker.port,
          env: { PATH: program === null ? path : `${path}:/usr/bin:/bin` },
        });
        const { code } = await within("its end", worker.exited);
        assert.equal(code, 1);
        await worker.ended();
        assert.match(worker.log, reason);
      });
    }
  },
});

import assert from "node:assert/strict";
import { Broker } from "../harness/broker.ts";
import { Client } from "../harness/client.ts";
import { localHosts, Project } from "../harness/project.ts";
import { Worker } from "../harness/worker.ts";

/** A playbook that writes down what Ansible was given. */
const TELL = `
- hosts: all
  gather_facts: false
  tasks:
    - name: tell
      tags: [always]
      check_mode: false
      copy:
        content: "{{ {'hosts': ansible_play_hosts_all, 'check': ansible_check_mode,
          'diff': ansible_diff_mode, 'verbosity': ansible_verbosity,
          'forks': ansible_forks, 'run': ansible_run_tags,
          'skip': ansible_skip_tags, 'vars': vars.given | default(none),
          'limit': ansible_limit | default(none)} | to_json }}"
        dest: "{{ playbook_dir }}/told.json"
      run_once: true
      delegate_to: h1
`;

Deno.test({
  name: "every field of a request reaches Ansible, and values stay values",
  sanitizeOps: true,
  sanitizeResources: true,
  async fn(t) {
    await using broker = await Broker.start();
    await using project = await Project.create({
      hosts: localHosts("h1", "h2", "-foo"),
      "tell.yml": TELL,
      "sub/-odd name é.yml": TELL.replace("/told.json", "/../told.json"),
      "--list-hosts a b é": localHosts("h1", "h2"),
      "--syntax-check": TELL,
      "inv/a": localHosts("h1"),
      "inv/b": localHosts("h2"),
    });
    await using client = await Client.connect(broker.port);
    await using worker = await Worker.start({ project, port: broker.port });
    let n = 0;
    const told = async (request: Record<string, unknown>) => {
      const final = await client.run({
        task_id: `t-${n++}`,
        playbook: "tell.yml",
        inventory: "hosts",
        ...request,
      });
      assert.equal(final.state, "success", final.error_message ?? "");
      return JSON.parse(
        await Deno.readTextFile(`${project.directory}/told.json`),
      );
    };
    const cases: [string, Record<string, unknown>, Record<string, unknown>][] =
      [
        ["nothing but what is required", {}, {
          check: false,
          diff: false,
          verbosity: 0,
          forks: 5,
          run: ["all"],
          skip: [],
          vars: null,
          limit: null,
          hosts: ["h1", "h2", "-foo"],
        }],
        ["null is the same as nothing", {
          check_mode: null,
          tags: null,
          forks: null,
        }, { check: false, run: ["all"], forks: 5 }],
        ["limit", { limit: "h1:h2" }, { hosts: ["h1", "h2"], limit: "h1:h2" }],
        ["a limit that looks like an option", { limit: "-foo" }, {
          hosts: ["-foo"],
        }],
        ["tags", { tags: ["a", "b c", "--syntax-check"] }, {
          run: ["a", "b c", "--syntax-check"],
        }],
        ["skip_tags", { skip_tags: ["x", "-v", "ü"] }, {
          skip: ["x", "-v", "ü"],
        }],
        ["values that name files", {
          tags: ["@/etc/hostname"],
          skip_tags: ["@/etc/passwd"],
          extra_vars: { given: "@/etc/hostname" },
        }, {
          run: ["@/etc/hostname"],
          skip: ["@/etc/passwd"],
          vars: "@/etc/hostname",
        }],
        ["a variable whose value looks like options", {
          extra_vars: { given: "-foo --syntax-check a=b 'c d' \\" },
        }, { vars: "-foo --syntax-check a=b 'c d' \\" }],
        ["an inventory that looks like options", {
          inventory: "--list-hosts a b é",
        }, { hosts: ["h1", "h2"] }],
        ["a playbook that looks like an option", {
          playbook: "--syntax-check",
        }, { hosts: ["h1", "h2", "-foo"] }],
        ["verbosity", { verbosity: 4 }, { verbosity: 4 }],
        ["check_mode", { check_mode: true }, { check: true }],
        ["diff_mode", { diff_mode: true }, { diff: true }],
        ["forks", { forks: 17 }, { forks: 17 }],
        ["extra_vars", {
          extra_vars: { given: ["--syntax-check", "-e", "a b"] },
        }, {
          vars: ["--syntax-check", "-e", "a b"],
        }],
        ["a playbook with an odd name", { playbook: "sub/-odd name é.yml" }, {
          hosts: ["h1", "h2", "-foo"],
        }],
        ["a directory as inventory", { inventory: "inv" }, {
          hosts: ["h1", "h2"],
        }],
        ["several inventories", { inventory: ["inv/b", "inv/a"] }, {
          hosts: ["h2", "h1"],
        }],
        ["a file and a list of hosts", {
          inventory: ["inv/a", "other,"],
          limit: "h1",
        }, { hosts: ["h1"] }],
      ];
    for (const [name, request, expected] of cases) {
      await t.step(name, async () => {
        const all = await told(request);
        for (const [key, value] of Object.entries(expected)) {
          if (Array.isArray(value)) {
            assert.deepEqual(all[key].toSorted(), value.toSorted(), key);
          } else assert.deepEqual(all[key], value, key);
        }
      });
    }
    await t.step("an inline list of hosts", async () => {
      const final = await client.run({
        task_id: "inline",
        playbook: "work.yml",
        inventory: "one,two,",
        extra_vars: { id: "inline", truth: project.truthFile },
      });
      assert.equal(final.tasks_ok, 2);
    });
    await t.step("the time limit", async () => {
      const final = await client.run(
        project.work("limited", { seconds: 30, timeout: 1 }),
      );
      assert.equal(final.state, "timeout");
      assert.match(final.error_message!, /the time limit of 1 s was reached/);
    });
    assert.equal(await worker.stop(), 0);
  },
});

/** How often the processes are looked at while a run is there, at least. */
const LOOKS = 4;

Deno.test({
  name: "500 KB of extra variables arrive as they are, and are seen nowhere",
  sanitizeOps: true,
  sanitizeResources: true,
  async fn() {
    await using broker = await Broker.start();
    await using project = await Project.create({
      "tell.yml": `
- hosts: all
  gather_facts: false
  tasks:
    - copy:
        content: "{{ given | to_json }}"
        dest: "{{ playbook_dir }}/told.json"
    - debug:
        msg: "{{ given.template }} {{ given['{{ key }}'] }}"
    - debug:
        msg: "{{ lookup('pipe', 'until [ -e ' ~ seen ~ ' ]; do sleep 0.05; done') }}"
`,
    });
    await using client = await Client.connect(broker.port);
    await using worker = await Worker.start({ project, port: broker.port });
    const canary = project.path("canary");
    const seen = project.path("seen");
    const given = {
      marker: "secret-of-the-variables",
      template: `{{ lookup('pipe', 'touch ${canary}') }}`,
      statement: "{% for a in range(3) %}x{% endfor %}",
      "{{ key }}": "{{ 7 * 7 }}",
      nested: [[1, [2.5, [null, true, { "é 漢字 😀": ["{{ x }}"] }]]], []],
      numbers: [0, -1, 1e21, 1.5, 9007199254740991],
      strings: ["1", "true", "null", "", " ", "yes", "0x10", "!unsafe x"],
      big: "ä{{ 1 + 1 }}".repeat(40_000),
      many: Array.from({ length: 5000 }, (_, i) => ({ i, s: `s${i}` })),
    };
    await client.submit({
      task_id: "vars",
      playbook: "tell.yml",
      inventory: "hosts",
      extra_vars: { given, seen },
    });
    await client.status("vars", ({ state }) => state === "running");
    // All process lists while it runs, ours and everybody's; it ends only after
    // some of them.
    let looks = 0;
    const watch = (async () => {
      while (client.history("vars").at(-1)!.completed_at === null) {
        for await (const { name } of Deno.readDir("/proc")) {
          if (!/^\d+$/.test(name)) continue;
          const line = await Deno.readTextFile(`/proc/${name}/cmdline`)
            .catch(() => "");
          assert.ok(!line.includes(given.marker), line.slice(0, 200));
        }
        if (++looks === LOOKS) await Deno.writeTextFile(seen, "");
      }
    })();
    const final = await client.final("vars");
    await watch;
    assert.equal(final.state, "success", final.error_message ?? "");
    const told = JSON.parse(
      await Deno.readTextFile(`${project.directory}/told.json`),
    );
    assert.deepEqual(told, given);
    await assert.rejects(Deno.stat(canary), "nothing was evaluated");
    assert.ok(!worker.log.includes(given.marker));
    assert.ok(looks >= LOOKS);
    const size = JSON.stringify(given).length;
    assert.ok(size > 500_000);
    console.log(`${size} bytes of variables, ${looks} looks at /proc`);
    assert.equal(await worker.stop(), 0);
  },
});

Deno.test({
  name: "numbers arrive as they were written, which JavaScript cannot say",
  sanitizeOps: true,
  sanitizeResources: true,
  async fn() {
    await using broker = await Broker.start();
    await using project = await Project.create({
      "tell.yml": `
- hosts: all
  gather_facts: false
  tasks:
    - copy:
        content: "{{ given | to_json }} {{ given[0] | type_debug }}"
        dest: "{{ playbook_dir }}/told.json"
`,
    });
    await using client = await Client.connect(broker.port);
    await using worker = await Worker.start({ project, port: broker.port });
    const given = '[1.0, 12345678901234567890, 0.1, 5, [-0.0, {"a": 2.50}]]';
    await client.publish(
      "ansible/test/tasks",
      `{"task_id": "n", "playbook": "tell.yml", "inventory": "hosts",
        "extra_vars": {"given": ${given}}}`,
      { qos: 2 },
    );
    const final = await client.final("n");
    assert.equal(final.state, "success", final.error_message ?? "");
    assert.equal(
      await Deno.readTextFile(`${project.directory}/told.json`),
      '[1.0, 12345678901234567890, 0.1, 5, [-0.0, {"a": 2.5}]] float',
    );
    assert.equal(await worker.stop(), 0);
  },
});

/** What the numbers and the end of a run say. */
import assert from "node:assert/strict";
import { localHosts, Project } from "../harness/project.ts";
import { Runs } from "../harness/runs.ts";
import { playbookThrough } from "../harness/through.ts";

const options = { sanitizeOps: true, sanitizeResources: true };

Deno.test({
  ...options,
  name: "what a plugin raises is in the message, whatever it is",
  async fn(t) {
    const cases: [string, string, RegExp][] = [
      [
        "a filter",
        `debug: msg="{{ 1 | missing }}"`,
        /KeyError: 'no such'|filter plugin 'missing' failed: 'no such'/,
      ],
      [
        "a filter in a condition",
        `debug: msg=1\n      when: 1 | missing`,
        /'no such'/,
      ],
      [
        "a filter in a loop",
        `debug: msg=1\n      loop: "{{ 1 | missing }}"`,
        /'no such'/,
      ],
      ["a lookup", `debug: msg="{{ lookup('unlucky') }}"`, /no luck/],
      ["an action", `unlucky:`, /no luck/],
    ];
    await using project = await Project.create({
      "filter_plugins/missing.py": `
class FilterModule:
    def filters(self):
        return {"missing": lambda value: {}["no such"]}
`,
      "lookup_plugins/unlucky.py": `
from ansible.plugins.lookup import LookupBase

class LookupModule(LookupBase):
    def run(self, terms, variables=None, **kwargs):
        raise RuntimeError("no luck")
`,
      "action_plugins/unlucky.py": `
from ansible.plugins.action import ActionBase

class ActionModule(ActionBase):
    def run(self, tmp=None, task_vars=None):
        raise RuntimeError("no luck")
`,
      ...Object.fromEntries(
        cases.map(([, task], i) => [
          `${i}.yml`,
          `- hosts: all\n  gather_facts: false\n  tasks:\n    - ${task}\n`,
        ]),
      ),
    });
    await using runs = await Runs.start(project);
    for (const [i, [name, , expected]] of cases.entries()) {
      await t.step(name, async () => {
        const { error_message, return_code } = await runs.run(`${i}.yml`);
        assert.equal(return_code, 2);
        assert.match(error_message!, expected);
      });
    }
  },
});

Deno.test({
  ...options,
  name: "an inventory that is not read in whole fails the run, and is named",
  async fn(t) {
    await using project = await Project.create({
      "work.yml":
        "- hosts: all\n  gather_facts: false\n  tasks:\n    - debug:\n",
      "broken": "h1 what is this\n[all:vars\n",
      "good/hosts": localHosts("h1"),
      // What Ansible itself does not look at.
      "good/.git/hooks/update": "#!/bin/sh\n",
      "good/README.md": "not read",
      "good/group_vars/all.yml": "x: 1\n",
      "secret/a": localHosts("h1"),
      "secret/b": localHosts("h2"),
      "deep/hosts": localHosts("h1"),
      "deep/er/cloud.py": "#!/bin/sh\necho '{}'\n",
      "share/hosts": localHosts("h1"),
      "part/hosts": localHosts("h1"),
      "part/notes": "h1 what is this\n[all:vars\n",
    });
    const path = (name: string) => `${project.directory}/${name}`;
    await Deno.mkdir(path("empty"));
    for (
      const name of [
        "good/.git/hooks/update",
        "good/README.md",
        "deep/er/cloud.py",
        "share/hosts",
      ]
    ) await Deno.chmod(path(name), 0o755);
    await Deno.chmod(path("secret/b"), 0);
    // The administrator reads everything, unless that is taken away.
    const PATH = await playbookThrough(
      project,
      Deno.uid() === 0
        ? ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]
        : [],
    );
    const policy: { inventories?: string[] } = {};
    await using runs = await Runs.start(project, {
      policy,
      env: { PATH },
    });
    const cases: [string, RegExp | null][] = [
      ["hosts", null],
      ["h1,", null],
      ["good", null],
      // As by hand: there are hosts, and a warning tells of the rest.
      ["part", null],
      [
        "broken",
        /inventory ".*\/broken" has nothing in it that could be parsed: .*ini plugin: .*Expected key=value/,
      ],
      ["empty", /inventory ".*\/empty" has nothing in it that could be parsed/],
      [
        "secret/b",
        /inventory ".*\/secret\/b" cannot be read: Permission denied/,
      ],
      ["secret", /inventory ".*\/secret\/b" cannot be read: Permission denied/],
      [
        "deep",
        /inventory ".*\/deep\/er\/cloud.py" is a program; only policy.inventories can allow one/,
      ],
      [
        "share",
        /inventory ".*\/share\/hosts" is a program; .* or, if it is none, chmod -x it/,
      ],
      [
        "share/hosts",
        /inventory "share\/hosts" is a program; .* or, if it is none, chmod -x it/,
      ],
    ];
    for (const [inventory, problem] of cases) {
      await t.step(inventory, async () => {
        const { error_message, progress } = await runs.run("work.yml", {
          inventory,
        });
        if (problem) assert.match(error_message ?? "success", problem);
        else assert.equal(error_message, null);
        assert.equal(progress.tasks_ok, problem ? 0 : 1);
      });
    }
    await t.step("programs that the policy allows are run", async () => {
      policy.inventories = ["**"];
      const { error_message } = await runs.run("work.yml", {
        inventory: "deep",
      });
      assert.equal(error_message, null);
    });
  },
});

Deno.test({
  ...options,
  name: "the total is right from the start, however facts are gathered",
  async fn(t) {
    const play = (facts: string, more = "") =>
      `- hosts: all\n  gather_subset: ["!all", "!min"]\n${
        facts && `  gather_facts: ${facts}\n`
      }${more}  tasks:\n    - debug:\n    - debug:\n`;
    await using project = await Project.create({
      hosts: localHosts("h1", "h2"),
      "default.yml": play(""),
      "yes.yml": play('"yes"'),
      "no.yml": play("false"),
      "twice.yml": play("") + play(""),
      "serial.yml": play("", "  serial: 1\n") + play(""),
      "tagged.yml": play("", "  tags: [a]\n") + play("", "  tags: [b]\n"),
    });
    await using runs = await Runs.start(project);
    const cache = `fact_caching = jsonfile\nfact_caching_connection = ${
      project.path("cache")
    }\n`;
    const cases: [string, [string, number, object?][]][] = [
      ["implicit", [["default", 6], ["yes", 6], ["no", 4], ["twice", 12], [
        "tagged",
        6,
        { tags: ["b"] },
      ]]],
      ["explicit", [["default", 4], ["yes", 6], ["no", 4], ["twice", 8]]],
      ["smart", [["default", 6], ["yes", 6], ["twice", 10], ["serial", 10]]],
      [`smart\n${cache}`, [["default", 6], ["default", 4], ["twice", 8]]],
    ];
    for (const [gathering, playbooks] of cases) {
      await project.write({
        "ansible.cfg": `[defaults]\ngathering = ${gathering}\n`,
      });
      for (const [name, total, request] of playbooks) {
        await t.step(
          `${gathering.split("\n").join(" ")}, ${name}`,
          async () => {
            const { told, progress } = await runs.run(`${name}.yml`, {
              ...request,
            });
            assert.equal(progress.tasks_total, total);
            assert.deepEqual(
              [...new Set(told.map(({ tasks_total }) => tasks_total))],
              [total],
            );
          },
        );
      }
    }
  },
});

Deno.test({
  ...options,
  name: "templates of a play are evaluated as often as by hand",
  async fn() {
    await using project = await Project.create({
      "filter_plugins/counted.py": `
def counted(field, value=None):
    with open("counts", "a") as file:
        file.write(field + "\\n")
    return value or field

class FilterModule:
    def filters(self):
        return {"counted": counted}
`,
      "vars.yml": "x: 1\n",
      "play.yml": [
        ["serial", "('1')"],
        ["strategy", "('linear')"],
        ["name", ""],
        ["gather_facts", "('false')"],
        ["gather_timeout", "('5')"],
        ["order", "('sorted')"],
        ["vars_files", "('vars.yml')"],
        ["tags", ""],
      ].reduce(
        (text, [field, value]) =>
          `${text}  ${field}: "{{ '${field}' | counted${value} }}"\n`,
        "- hosts: all\n",
      ) + "  tasks:\n    - debug:\n",
    });
    const counts = async () => {
      const file = `${project.directory}/counts`;
      const count: Record<string, number> = {};
      for (const line of (await Deno.readTextFile(file)).trim().split("\n")) {
        count[line] = (count[line] ?? 0) + 1;
      }
      await Deno.remove(file);
      return count;
    };
    await using runs = await Runs.start(project);
    const { error_message, progress } = await runs.run("play.yml");
    assert.equal(error_message, null);
    assert.equal(progress.tasks_ok, 1);
    const ours = await counts();
    const { success } = await new Deno.Command("ansible-playbook", {
      args: ["-i", "hosts", "play.yml"],
      cwd: project.directory,
      env: project.environment("w1"),
      stdin: "null",
      stdout: "null",
    }).output();
    assert.ok(success);
    const byHand = await counts();
    assert.equal(Object.keys(byHand).length, 8);
    assert.deepEqual(ours, byHand);
  },
});

Deno.test({
  ...options,
  name: "modules do not log what they were called with, unless they are to",
  async fn() {
    await using project = await Project.create({
      "see.yml":
        "- hosts: all\n  gather_facts: false\n  tasks:\n    - see: text=private\n",
      "library/see.py": `#!/usr/bin/python
from ansible.module_utils import basic
import syslog

said = []
syslog.syslog = lambda *args: said.append(str(args[-1]))
basic.has_journal = False
module = basic.AnsibleModule({"text": {}})
module.exit_json(msg="private" in "".join(said))
`,
    });
    await using runs = await Runs.start(project);
    assert.match(
      (await runs.run("see.yml", { verbosity: 1 })).text,
      /"msg": false/,
    );
    await project.write({
      "ansible.cfg": "[defaults]\nno_target_syslog = false\n",
    });
    assert.match(
      (await runs.run("see.yml", { verbosity: 1 })).text,
      /"msg": true/,
    );
  },
});

Deno.test({
  ...options,
  name: "what set_stats leaves is told, and nothing that no_log hides",
  async fn() {
    await using project = await Project.create({
      hosts: localHosts("h1", "h2"),
      "stats.yml": `
- hosts: all
  gather_facts: false
  tasks:
    - set_stats: { data: { release: "1.4.2", count: 1, list: [1.5, { a: null }] } }
      run_once: true
    - set_stats: { data: { host: "{{ inventory_hostname }}" }, per_host: true }
    - set_stats: { data: { secret: hunter2 } }
      no_log: true
    - set_stats: { data: { "secret{{ item }}": hunter2 } }
      loop: [1, 2]
      no_log: true
    - set_stats: { data: { mine: hunter2 }, per_host: true }
      no_log: "{{ inventory_hostname == 'h2' }}"
    - set_stats: { data: { added: 1 } }
    - set_stats: { data: { added: 41 } }
      no_log: "{{ inventory_hostname == 'h2' }}"
`,
      "large.yml": `
- hosts: h1
  gather_facts: false
  tasks:
    - set_stats: { data: { text: "{{ 'x' * 65536 }}" } }
`,
    });
    await using runs = await Runs.start(project);
    const { error_message, progress } = await runs.run("stats.yml");
    assert.equal(error_message, null);
    assert.deepEqual(JSON.parse(JSON.stringify(progress.stats)), {
      run: { release: "1.4.2", count: 1, list: [1.5, { a: null }] },
      hosts: {
        h1: { host: "h1", mine: "hunter2" },
        h2: { host: "h2" },
      },
    });
    assert.equal((await runs.run("large.yml")).progress.stats, null);
    const none = await runs.run("work.yml", { limit: "nobody" });
    assert.equal(none.progress.stats, null);
  },
});

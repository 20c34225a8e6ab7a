/**
 * What a message says stays data, wherever a playbook uses it: a value is never
 * a template, nor an expression.
 */
import assert from "node:assert/strict";
import { Broker } from "../harness/broker.ts";
import { Client } from "../harness/client.ts";
import { localHosts, Project } from "../harness/project.ts";
import { Worker } from "../harness/worker.ts";

/** Uses of `x` that may fail, and must do nothing else with it. */
const USES = `
- debug: { msg: "{{ x }}" }
- debug: { msg: "a {{ x }} b {{ x }}" }
- debug: { msg: { "{{ x }}": "{{ x }}", l: [["{{ x }}"]] } }
- debug: { var: x }
- debug: { var: "{{ x }}" }
- debug: { var: "[x, {x: x}]" }
- debug: { msg: "{{ lookup('vars', 'x') }} {{ q('vars', 'x') }}" }
- debug: { msg: "{{ lookup('vars', x) }}" }
- debug: { msg: "{{ vars.x }} {{ vars['x'] }}" }
- debug: { msg: "{{ hostvars[inventory_hostname].x }} {{ hostvars }}" }
- debug: { msg: "{{ lookup('template', 'file.j2') }}" }
- debug: { msg: "{{ lookup('list', x) }} {{ lookup('items', [x]) }} {{ lookup('dict', {x: x}) }}" }
- debug: { msg: "{{ y }} {{ z }} {{ l }} {{ d }} {{ k }}" }
  vars:
    y: "{{ x }}"
    z: "{{ y }}{{ y }}"
    l: ["{{ y }}", { a: "{{ x }}" }]
    d: { a: "{{ l }}" }
    k: "{% for a in [x] %}{{ a }}{% endfor %}"
- set_fact: { fact: "{{ x }}", within: { a: ["{{ x }}"] } }
- debug: { msg: "{{ fact }} {{ within }}" }
- debug: { var: fact }
- set_fact: { "{{ x }}": "{{ x }}" }
- set_fact: { cached: "{{ x }}", cacheable: true }
- debug: { msg: "{{ cached }} {{ ansible_facts }}" }
- debug: { msg: "{{ x }}" }
  register: result
- debug: { msg: "{{ result }} {{ result.msg }}" }
- debug: { msg: one }
  when: x
- debug: { msg: one }
  when: "{{ x }}"
- debug: { msg: one }
  when: [x, "not x", "x | bool", "fact"]
- debug: { msg: one }
  when: x == 'a' or x in ['a'] or x is search('a')
- debug: { msg: one }
  when: y
  vars: { y: "{{ x }}" }
- debug: { msg: one }
  changed_when: x
- debug: { msg: one }
  failed_when: x
- debug: { msg: one }
  failed_when: "{{ x }}"
- debug: { msg: one }
  until: x
  retries: 1
  delay: 0
- assert: { that: x }
- assert: { that: "{{ x }}" }
- assert: { that: ["{{ x }}", x], fail_msg: "{{ x }}" }
- assert: { that: false, fail_msg: "{{ x }}" }
- fail: { msg: "{{ x }}" }
- debug: { msg: "{{ item }}" }
  loop: "{{ [x] }}"
- debug: { msg: "{{ item }}" }
  loop: "{{ x }}"
- debug: { msg: "{{ item }}", verbosity: "{{ x }}" }
  loop: ["{{ x }}"]
  loop_control: { label: "{{ x }}" }
- debug: { msg: "{{ item }}" }
  with_items: x
- debug: { msg: "{{ item }}" }
  with_items: ["{{ x }}", x]
- debug: { msg: "{{ item.key }} {{ item.value }}" }
  with_dict: "{{ {x: x} }}"
- debug: { msg: "{{ item.key }} {{ item.value }}" }
  loop: "{{ {x: x} | dict2items }}"
- debug: { msg: "{{ item }}" }
  with_together: [["{{ x }}"], ["{{ x }}"]]
- name: "a name with {{ x }}"
  debug: { msg: one }
  changed_when: true
  notify: hand
- debug: "{{ x }}"
- debug: msg={{ x }}
- debug: { args: "{{ x }}" }
- debug:
  args: "{{ x }}"
- debug: { msg: one }
  become_user: "{{ x }}"
  remote_user: "{{ x }}"
- debug: { msg: one }
  connection: "{{ x }}"
- include_vars: { file: "{{ x }}" }
- include_vars: "{{ x }}.yml"
- include_vars: { dir: "{{ x }}" }
- template: { src: "{{ x }}.j2", dest: /dev/null }
- copy: { src: "{{ x }}", dest: /dev/null }
- debug: { msg: one }
  delegate_to: "{{ x }}"
- debug: { msg: "{{ lookup('env', x) }} {{ lookup('file', x, errors='ignore') }}" }
- command: "true"
  environment: { A: "{{ x }}" }
- copy: { content: "{{ x }}", dest: "{{ playbook_dir }}/copied" }
- template: { src: file.j2, dest: "{{ playbook_dir }}/templated" }
- group_by: { key: "{{ x }}" }
- add_host: { name: added, groups: [those], given: "{{ x }}", more: ["{{ x }}"] }
- debug: { msg: "{{ hostvars.added.given }} {{ hostvars.added.more }} {{ groups }}" }
- debug: { msg: "{{ composed | default('') }}" }
- debug: { msg: "{{ ansible_run_tags }} {{ ansible_skip_tags }} {{ ansible_limit | default('') }}" }
- debug: { var: ansible_run_tags }
- debug: { var: ansible_limit }
- debug: { msg: one }
  when: ansible_run_tags[0]
- debug: { msg: one }
  when: ansible_limit | default(false)
- debug: { msg: "{{ vars }}" }
`;

/** Uses that end the play, if they are not rescued. */
const INCLUDES = `
- include_tasks: "{{ x }}"
- include_tasks: "{{ x }}.yml"
- include_tasks: { file: "tasks/{{ x }}.yml", apply: { tags: ["{{ x }}"] } }
- include_tasks: "{{ item }}"
  loop: ["{{ x }}.yml"]
- include_tasks: inner.yml
  vars: { given: "{{ x }}" }
- include_role: { name: "{{ x }}" }
- include_role: { name: "a_{{ x }}" }
- include_role: { name: inner, tasks_from: "{{ x }}.yml" }
- include_role: { name: inner, tasks_from: choose }
  vars: { given: "{{ x }}" }
- include_role: { name: inner }
  vars: { given: "{{ x }}" }
`;

const FILE = `{{ x }}
{% for key in {x: x} %}{{ key }}{% endfor %}
{% set y = x %}{{ y }}{% if x %}{{ [x, {'a': x}] }}{% endif %}
{{ x | to_json }}
`;

/** Plays on what only a play can be given. */
const PLAYS = `
- hosts: "{{ x }}"
  tasks: [{ debug: { msg: one } }]
- hosts: all:{{ x }}
  gather_facts: false
  tasks: [{ debug: { msg: one } }]
- hosts: all
  gather_facts: false
  vars: { y: "{{ x }}" }
  vars_files: ["{{ x }}"]
  tasks: [{ debug: { msg: "{{ y }}" } }]
- hosts: all
  gather_facts: false
  serial: "{{ x }}"
  tasks: [{ debug: { msg: one } }]
- hosts: all
  gather_facts: false
  vars_files: [["{{ x }}.yml", "inner_{{ x }}"]]
  tasks: []
- hosts: all
  gather_facts: false
  tasks:
    - import_tasks: "{{ x }}.yml"
- hosts: all
  gather_facts: false
  tasks:
    - import_role: { name: "{{ x }}" }
- hosts: all
  gather_facts: false
  tasks:
    - import_role: { name: inner, tasks_from: "{{ x }}" }
- hosts: all
  gather_facts: false
  roles: ["{{ x }}"]
- import_playbook: "{{ x }}.yml"
- hosts: all
  gather_facts: false
  tasks:
    - { debug: { msg: one }, tags: ["{{ x }}"] }
- hosts: all
  gather_facts: false
  tasks:
    - { debug: { msg: one }, run_once: "{{ x }}" }
- hosts: all
  gather_facts: false
  tasks:
    - { debug: { msg: one }, changed_when: true, notify: "{{ x }}" }
- hosts: those
  gather_facts: false
  tasks: [{ debug: { msg: "{{ given }} {{ more }}" } }]
`;

/** What the value is where a playbook only refers to it. */
const TELL = `
- hosts: all
  gather_facts: false
  vars: { y: "{{ x }}" }
  tasks:
    - set_fact: { fact: "{{ y }}" }
      tags: [always]
    - copy:
        content: "{{ [x, y, fact, composed, lookup('vars', 'x'), vars.x,
          hostvars[inventory_hostname].x, ansible_run_tags,
          ansible_skip_tags] | to_json }}"
        dest: "{{ playbook_dir }}/told.json"
      tags: [always]
`;

function indented(text: string, columns: number): string {
  return text.trim().replaceAll("\n", "\n" + " ".repeat(columns));
}

/** Each task in a block of its own, after which the play goes on. */
function rescued(tasks: string): string {
  return tasks.split(/^(?=- )/m).slice(1).map((task) =>
    `- rescue: [{ debug: { msg: rescued } }]\n  block:\n    ${
      indented(task, 4)
    }\n`
  ).join("");
}

const FILES: Record<string, string> = {
  "file.j2": FILE,
  "inner.yml": '- debug: { msg: "{{ given }}" }\n- debug: { var: given }\n',
  "roles/inner/tasks/main.yml":
    '- debug: { msg: "{{ given }}" }\n- debug: { msg: one }\n  when: given\n',
  "roles/inner/tasks/choose.yml": '- include_tasks: "{{ given }}.yml"\n',
  "hosts/1": localHosts("h1"),
  "hosts/2.constructed.yml":
    "plugin: constructed\nuse_extra_vars: true\nstrict: false\ncompose: { composed: x }\ngroups: { those: x }\n",
  "ansible.cfg": "[inventory]\nenable_plugins = ini, constructed, host_list\n",
  "uses.yml": `
- hosts: all
  gather_facts: false
  tasks:
    - tags: [always]
      ignore_errors: true
      block:
        ${indented(USES, 8)}
        ${indented(rescued(INCLUDES), 8)}
  handlers:
    - { name: hand, debug: { msg: "{{ x }}" } }
    - { name: "one {{ x }}", listen: hand, debug: { msg: "{{ x }}" } }
`,
  "tell.yml": TELL,
  ...Object.fromEntries(
    PLAYS.split(/^(?=- )/m).slice(1).map((play, i) => [`play-${i}.yml`, play]),
  ),
};

/** Values that touch a file, should anybody evaluate them. */
function payloads(canary: string): Record<string, unknown> {
  // Without a comma or a colon, which divide tags and limits.
  const lookup = `lookup(*('pipe|touch ${canary}' | split('|')))`;
  // What a template can do even where lookups are forbidden to it.
  const system = `cycler.__init__.__globals__.os.system('touch ${canary}')`;
  const template = `{{ ${lookup} }}{% set a = ${lookup} %}{{ a }}`;
  const twice = `{{ "{{ ${lookup} }}" }}`;
  const reckless = `{{ ${system} }}`;
  return {
    "a template": template,
    "an expression": lookup,
    "an expression that needs no lookup": system,
    "a list": [template, [reckless, { a: twice }], lookup, system],
    "an object": {
      msg: template,
      var: system,
      [template]: { [reckless]: template },
      [lookup]: [system],
    },
    "a header of Jinja":
      `#jinja2: variable_start_string:'[', variable_end_string:']'\n[ ${lookup} ]`,
  };
}

Deno.test({
  name: "a value is data wherever a playbook uses it",
  sanitizeOps: true,
  sanitizeResources: true,
  async fn(t) {
    await using broker = await Broker.start();
    await using project = await Project.create();
    await Deno.remove(`${project.directory}/hosts`);
    await project.write(FILES);
    await using client = await Client.connect(broker.port);
    await using worker = await Worker.start({
      project,
      port: broker.port,
      worker: { max_concurrent_tasks: 2 },
    });
    const canary = project.path("canary");
    const plays = Object.keys(FILES).filter((name) => /^play-/.test(name));
    await t.step("a template would, by hand", async () => {
      const x = payloads(canary)["a template"];
      const { success } = await new Deno.Command("ansible-playbook", {
        args: ["--inventory=hosts", `--extra-vars=${JSON.stringify({ x })}`]
          .concat("tell.yml"),
        cwd: project.directory,
        env: { ...project.environment("hand"), LC_ALL: "C.UTF-8" },
        stdin: "null",
      }).output();
      assert.ok(success);
      await Deno.remove(canary);
    });
    for (const [name, x] of Object.entries(payloads(canary))) {
      // Tags and limits become variables, too.
      const text = typeof x === "string" && !x.includes("\n") ? x : "x";
      const run = (playbook: string, more = {}) =>
        client.run({
          task_id: `${playbook}:${name.replaceAll(" ", "-")}`,
          playbook,
          inventory: "hosts",
          extra_vars: { x },
          tags: [text],
          skip_tags: [text],
          ...more,
        });
      await t.step(name, async () => {
        const [uses, told] = await Promise.all([
          run("uses.yml", { limit: `h1:${text}` }),
          run("tell.yml"),
          ...plays.map((play) => run(play)),
        ]);
        await assert.rejects(Deno.stat(canary), "something was evaluated");
        assert.ok(uses!.tasks_ok > 50, uses!.error_message ?? "");
        assert.equal(told!.state, "success", told!.error_message ?? "");
        const [skip, tags, ...values] = JSON.parse(
          await Deno.readTextFile(`${project.directory}/told.json`),
        ).toReversed();
        assert.deepEqual(values, Array(7).fill(x));
        assert.deepEqual([skip, tags], [[text], [text]]);
      });
    }
    assert.equal(await worker.stop(), 0);
  },
});

import assert from "node:assert/strict";
import { Launcher } from "../../src/ansible/launcher.ts";
import { localHosts, Project } from "../harness/project.ts";

/** Plays that print in every way, warnings and deprecations of theirs too. */
const PLAYS = `
- hosts: all
  vars: { y: "{{ ansible_system }}" }
  tasks:
    - debug: { msg: "{{ y }} {{ given }}" }
    - command: echo {{ item }}
      loop: [1, 2]
      notify: hand
    - include_tasks: inner.yml
    - block:
        - command: "false"
      rescue:
        - debug: { var: ansible_failed_result.rc }
    - command: "false"
      ignore_errors: true
    - set_fact: { fact: "{{ vars.given | default('none') }}" }
    - debug: { msg: one }
      when: "{{ fact == 'none' }}"
    - include_role: { name: inner }
    - meta: flush_handlers
    - fail: { msg: "the end of {{ inventory_hostname }}" }
      when: inventory_hostname == "h2"
  handlers:
    - { name: hand, debug: { msg: hand } }
- hosts: all:lost
  gather_facts: false
  serial: "{{ batch | default(1) }}"
  tasks:
    - debug: { msg: "{{ groups.all }}" }
      run_once: true
    - ping:
- hosts: nobody
  tasks: []
`;

Deno.test({
  name: "a run prints what ansible-playbook prints by hand, and nothing more",
  sanitizeOps: true,
  sanitizeResources: true,
  async fn(t) {
    await using project = await Project.create({
      hosts: localHosts("h1", "h2"),
      "site.yml": PLAYS,
      "inner.yml": "- debug: { msg: inner }\n",
      "roles/inner/tasks/main.yml": "- debug: { msg: role }\n",
    });
    for (const verbosity of ["-v"]) {
      await t.step(`verbosity ${verbosity.length}`, async () => {
        const args = [
          "--inventory=hosts",
          // One after the other, so in order.
          "--forks=1",
          ...verbosity === "" ? [] : [verbosity],
          "--",
          "site.yml",
        ];
        const ours = await printed(project, args, { given: "data" });
        const hand = await byHand(project, args, { given: "data" });
        assert.equal(ours.stderr, hand.stderr);
        assert.equal(ours.stdout, hand.stdout);
        assert.equal(ours.code, hand.code);
        assert.match(ours.stdout, /PLAY RECAP/);
      });
    }
  },
});

interface Printed {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** A run of a launcher. */
async function printed(
  project: Project,
  argv: string[],
  extraVars: Record<string, unknown>,
): Promise<Printed> {
  const launcher = new Launcher({
    playbookDirectory: project.directory,
    environment: environment(project),
  });
  try {
    await launcher.ready;
    const exit = await launcher.run({
      argv,
      inventory_programs: true,
      extra_vars: JSON.stringify(extraVars),
      vault_password: null,
      kill_grace: 1,
      events: false,
      output: null,
    }, { onEvent() {}, onOutput() {} });
    return {
      code: exit.return_code,
      stdout: plain(exit.stdout_tail),
      stderr: plain(exit.stderr_tail),
    };
  } finally {
    await launcher[Symbol.asyncDispose]();
  }
}

async function byHand(
  project: Project,
  argv: string[],
  extraVars: Record<string, unknown>,
): Promise<Printed> {
  const { code, stdout, stderr } = await new Deno.Command("ansible-playbook", {
    args: [`--extra-vars=${JSON.stringify(extraVars)}`, ...argv],
    cwd: project.directory,
    clearEnv: true,
    env: { ...environment(project), LC_ALL: "C.UTF-8" },
    stdin: "null",
  }).output();
  const text = new TextDecoder();
  return {
    code,
    stdout: plain(text.decode(stdout)),
    stderr: plain(text.decode(stderr)),
  };
}

function environment(project: Project): Record<string, string> {
  return {
    PATH: Deno.env.get("PATH") ?? "",
    ...project.environment("hand"),
  };
}

/** Without what is different each time. */
function plain(text: string): string {
  return text.replace(
    /("?(start|end|delta)"?: ?"?)\d[-0-9:. ]*/g,
    "$1…",
  );
}

import assert from "node:assert/strict";
import { PrintedRuns } from "../harness/printed.ts";
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

const options = { sanitizeOps: true, sanitizeResources: true };

Deno.test({
  ...options,
  name: "a run prints what ansible-playbook prints by hand, and nothing more",
  async fn() {
    await using project = await Project.create({
      hosts: localHosts("h1", "h2"),
      "site.yml": PLAYS,
      "inner.yml": "- debug: { msg: inner }\n",
      "roles/inner/tasks/main.yml": "- debug: { msg: role }\n",
    });
    await using runs = new PrintedRuns(project);
    const command = {
      // One after the other, so in order.
      argv: ["--inventory=hosts", "--forks=1", "-v", "--", "site.yml"],
      extraVars: { given: "data" },
    };
    const hand = await runs.byHand(command);
    assert.deepEqual(await runs.run(command), hand);
    assert.match(hand.stdout, /PLAY RECAP/);
  },
});

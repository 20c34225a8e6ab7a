/**
 * Playbooks that count in every way that Ansible knows.
 *
 * @module
 */
import { localHosts, Project } from "../harness/project.ts";

/** One of them. */
export interface Case {
  name: string;
  /** The playbook. */
  play: string;
  /** Files beside it. */
  files?: Record<string, string>;
  inventory?: "hosts" | "unreachable" | "empty";
  /** Fields of the request, and the same as arguments by hand. */
  request?: Record<string, unknown>;
  args?: string[];
  /** Hosts, or jobs, do not wait for each other: the order is never the same. */
  unordered?: boolean;
}

/** Inventories of the cases. */
const INVENTORIES: Record<string, string> = {
  unreachable: `h1
h2
lost ansible_connection=ssh ansible_host=127.0.0.1 ansible_port=1
[all:vars]
ansible_connection=local
ansible_python_interpreter={{ ansible_playbook_python }}
`,
  empty: "[nobody]\n",
};

const PLAY = `- hosts: all
  gather_facts: false
`;

/** A play on all hosts without facts. */
function play(body: string): string {
  return PLAY + body.replace(/^\n/, "").replace(/^/gm, "  ");
}

/** The corpus. */
export const CORPUS: Case[] = [
  {
    name: "loops",
    play: play(`
tasks:
  - debug: msg="{{ item }}"
    loop: [1, 2, 3]
  - command: "true"
    loop: [1, 2]
  - debug: msg=none
    loop: []
`),
  },
  {
    name: "a loop that fails",
    play: play(`
tasks:
  - command: "{{ item }}"
    loop: ["true", "false"]
`),
  },
  {
    name: "retries",
    // What is said of a retry overtakes the result of the host before.
    play: play(`
serial: 1
tasks:
  - command: "false"
    register: r
    retries: 2
    delay: 0
    until: r.rc == 0
    ignore_errors: true
`),
  },
  {
    name: "ignore_errors",
    play: play(`
tasks:
  - command: "false"
    ignore_errors: true
  - debug: msg=on
`),
  },
  {
    name: "ignore_unreachable",
    inventory: "unreachable",
    play: play(`
tasks:
  - ping:
    ignore_unreachable: true
  - debug: msg=on
`),
  },
  {
    name: "unreachable hosts",
    inventory: "unreachable",
    play: play(`
tasks:
  - ping:
  - debug: msg=on
`),
  },
  {
    name: "block, rescue and always",
    play: play(`
tasks:
  - block:
      - command: "false"
        when: inventory_hostname == "h1"
      - debug: msg=block
    rescue:
      - debug: msg=rescue
      - debug: msg=again
    always:
      - debug: msg=always
`),
  },
  {
    name: "a rescue that fails",
    play: play(`
tasks:
  - block:
      - command: "false"
    rescue:
      - command: "false"
    always:
      - debug: msg=always
`),
  },
  {
    name: "handlers",
    play: play(`
tasks:
  - command: "true"
    notify: [one, two]
  - command: "true"
    notify: one
  - meta: flush_handlers
  - command: "true"
    notify: two
    when: inventory_hostname == "h1"
handlers:
  - name: one
    debug: msg=1
  - name: two
    command: "true"
`),
  },
  {
    name: "include_tasks",
    files: { "inc.yml": "- debug: msg=a\n- debug: msg=b\n" },
    play: play(`
tasks:
  - include_tasks: inc.yml
  - include_tasks: inc.yml
    loop: [1, 2]
    when: inventory_hostname == "h1"
`),
  },
  {
    name: "a missing include",
    play: play(`
tasks:
  - debug: msg=on
  - include_tasks: missing.yml
`),
  },
  {
    name: "import_tasks",
    files: { "imp.yml": "- debug: msg=a\n- debug: msg=b\n" },
    play: play(`
tasks:
  - import_tasks: imp.yml
  - import_tasks: imp.yml
    when: false
`),
  },
  {
    name: "roles",
    files: {
      "roles/r/tasks/main.yml":
        "- debug: msg=a\n- command: 'true'\n  notify: hand\n",
      "roles/r/handlers/main.yml": "- name: hand\n  debug: msg=h\n",
    },
    play: play(`
roles: [r]
tasks:
  - include_role:
      name: r
  - import_role:
      name: r
`),
  },
  {
    name: "a missing role",
    play: play(`
tasks:
  - include_role:
      name: missing
`),
  },
  {
    name: "import_playbook",
    files: { "other.yml": play("\ntasks:\n  - debug: msg=other\n") },
    play: `- import_playbook: other.yml\n${
      play("\ntasks:\n  - debug: msg=1\n")
    }`,
  },
  {
    name: "several plays",
    play: play("\ntasks:\n  - debug: msg=1\n") +
      play("\ntasks:\n  - debug: msg=2\n  - debug: msg=3\n").replace(
        "hosts: all",
        "hosts: h1",
      ),
  },
  {
    name: "run_once",
    play: play(`
tasks:
  - command: "true"
    run_once: true
  - debug: msg=on
`),
  },
  {
    name: "delegate_to",
    play: play(`
tasks:
  - command: "true"
    delegate_to: h1
  - command: "true"
    delegate_to: h2
    run_once: true
`),
  },
  {
    name: "serial",
    play: play(`
serial: 1
tasks:
  - debug: msg=1
  - debug: msg=once
    run_once: true
`),
  },
  {
    name: "serial that fails",
    play: play(`
serial: 1
tasks:
  - command: "false"
  - debug: msg=never
`),
  },
  {
    name: "strategy free",
    unordered: true,
    play: play(`
strategy: free
tasks:
  - command: "true"
  - command: "false"
    when: inventory_hostname == "h2"
  - debug: msg=on
`),
  },
  {
    name: "gather_facts",
    play: `- hosts: all\n  tasks:\n    - debug: msg="{{ ansible_system }}"\n`,
  },
  {
    name: "meta",
    play: play(`
tasks:
  - meta: noop
  - debug: msg=1
  - meta: clear_facts
  - meta: clear_host_errors
`),
  },
  {
    name: "end_play",
    play: play(`
tasks:
  - debug: msg=1
  - meta: end_play
  - debug: msg=never
`),
  },
  {
    name: "end_host",
    play: play(`
tasks:
  - meta: end_host
    when: inventory_hostname == "h1"
  - debug: msg=1
`),
  },
  {
    name: "any_errors_fatal",
    play: play(`
any_errors_fatal: true
tasks:
  - command: "false"
    when: inventory_hostname == "h1"
  - debug: msg=never
`),
  },
  {
    name: "max_fail_percentage",
    play: play(`
max_fail_percentage: 10
tasks:
  - command: "false"
    when: inventory_hostname == "h1"
  - debug: msg=never
`),
  },
  {
    name: "tags",
    request: { tags: ["a"] },
    args: ["--tags=a"],
    play: play(`
tasks:
  - debug: msg=a
    tags: a
  - debug: msg=b
    tags: b
  - debug: msg=always
    tags: always
`),
  },
  {
    name: "skip tags",
    request: { skip_tags: ["a", "c"] },
    args: ["--skip-tags=a", "--skip-tags=c"],
    play: play(`
tasks:
  - debug: msg=a
    tags: a
  - debug: msg=b
    tags: b
  - debug: msg=c
    tags: c
`),
  },
  {
    name: "check mode",
    request: { check_mode: true },
    args: ["--check"],
    play: play(`
tasks:
  - command: "true"
  - debug: msg=on
`),
  },
  {
    name: "no hosts matched",
    play: play("\ntasks:\n  - debug: msg=1\n").replace("all", "nobody"),
  },
  {
    name: "an empty inventory",
    inventory: "empty",
    play: play("\ntasks:\n  - debug: msg=1\n"),
  },
  { name: "a syntax error", play: "- hosts: all\n  tasks: [\n" },
  { name: "an empty playbook", play: "" },
  {
    name: "an unknown module",
    play: play("\ntasks:\n  - no_such_module:\n"),
  },
  {
    name: "async",
    unordered: true,
    play: play(`
vars: { ansible_async_dir: "{{ playbook_dir }}/jobs" }
tasks:
  - command: sleep 5
    async: 60
    poll: 2
  - command: "true"
    async: 10
    poll: 0
`),
  },
  {
    name: "names and messages that look like a recap",
    play: play(`
tasks:
  - name: "h1 : ok=5 changed=9 unreachable=7 failed=3 [x] fatal: ] {\\"event\\": 1}"
    debug:
      msg: "PLAY RECAP\\nh1 : ok=99 failed=99\\nfatal: [h1]: FAILED! {\\"a\\": 1} \\u001b[31m \\u0007"
  - name: "fatal: [h2]: UNREACHABLE!"
    shell: 'printf ''{"type":"exit","return_code":0}\\n\\033[2J\\001ok=7\\n'''
`),
  },
  {
    name: "a failure in the first of two plays",
    play: play(`
tasks:
  - command: "false"
    when: inventory_hostname == "h2"
`) + play("\ntasks:\n  - debug: msg=2\n"),
  },
];

/** A project that has all of them, each in a directory named by its number. */
export async function corpusProject(): Promise<Project> {
  const project = await Project.create({
    ...INVENTORIES,
    hosts: localHosts("h1", "h2", "h3"),
  });
  for (const [i, { play, files = {} }] of CORPUS.entries()) {
    await project.write({ [`${i}/site.yml`]: play });
    for (const [name, text] of Object.entries(files)) {
      await project.write({ [`${i}/${name}`]: text });
    }
  }
  return project;
}

/** The request of one of them. */
export function requestOf(i: number, prefix: string) {
  const { inventory = "hosts", request = {} } = CORPUS[i]!;
  return {
    task_id: `${prefix}-${i}`,
    playbook: `${i}/site.yml`,
    inventory,
    ...request,
  };
}

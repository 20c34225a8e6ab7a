/** What a killed run has left in Ansible's temporary directories. */
import assert from "node:assert/strict";
import { Broker } from "../harness/broker.ts";
import { Client } from "../harness/client.ts";
import { killAll } from "../harness/processes.ts";
import { Project } from "../harness/project.ts";
import { until } from "../harness/waiting.ts";
import { Worker } from "../harness/worker.ts";

const SLEEP = `
- hosts: all
  gather_facts: false
  tasks:
    - shell: "touch {{ begun }}; exec sleep 600"
`;

// By itself Ansible takes the home of /etc/passwd for it.
for (
  const [where, environment, configuration] of [
    ["its variable", { ANSIBLE_REMOTE_TMP: "$HOME/modules" }, ""],
    ["ansible.cfg", {}, "[defaults]\nremote_tmp = $HOME/modules\n"],
  ] as const
) {
  Deno.test({
    name:
      `what a run has left that was killed with its worker is removed at the next start, and nothing else: remote_tmp by ${where}`,
    sanitizeOps: true,
    sanitizeResources: true,
    fn: () => leaves({ environment, configuration }),
  });
}

async function leaves(
  { environment, configuration }: {
    environment: Record<string, string>;
    configuration: string;
  },
): Promise<void> {
  await using broker = await Broker.start();
  await using project = await Project.create({
    "sleep.yml": SLEEP,
    "ansible.cfg": configuration,
  });
  await using client = await Client.connect(broker.port);
  const directory = `${project.environment("w1").HOME}/modules`;
  const there = async () => {
    const entries = await Array.fromAsync(Deno.readDir(directory));
    return entries.map(({ name }) => name);
  };
  const isOfModule = (name: string) => name.startsWith("ansible-tmp-");
  const begun = project.path("begun");
  const set = {
    project,
    port: broker.port,
    config: { ansible: { environment } },
  };
  await using worker = await Worker.start(set);
  await client.submit({
    task_id: "t",
    playbook: "sleep.yml",
    inventory: "hosts",
    extra_vars: { begun },
  });
  await until(
    "the module",
    () => Deno.stat(begun).then(() => true, () => false),
  );
  // All at once, as systemd does it: nobody can clear up.
  killAll(await project.processes());
  await worker.ended();
  const [left] = (await there()).filter(isOfModule);
  assert.ok(left, "a module and its arguments");

  // Of a process that is there, of none that Ansible names, and one that a
  // process works with.
  const others = [
    `ansible-tmp-1.5-${Deno.pid}-1`,
    "ansible-tmp-of-mine",
    "ansible-tmp-1.5-999999999-2",
  ];
  for (const name of others) await Deno.mkdir(`${directory}/${name}`);
  const user = new Deno.Command("sh", {
    args: ["-c", `: ${directory}/${others[2]}; read nothing`],
    stdin: "piped",
  }).spawn();
  try {
    await using _again = await Worker.start(set);
    const now = await there();
    assert.deepEqual(now.filter(isOfModule).sort(), others.sort());
  } finally {
    await user.stdin.close();
    await user.status;
  }
}

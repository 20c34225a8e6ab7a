/**
 * What people have playbooks for: many hosts over SSH, their facts, and some
 * modules. By message against by hand, one after the other; each run connects
 * anew.
 *
 * @module
 */
import { killAll, processesNamed } from "../../tests/harness/processes.ts";
import { SshServer } from "../../tests/harness/ssh_server.ts";
import { until } from "../../tests/harness/waiting.ts";
import { type Figure, ratios } from "./figures.ts";
import { processorTime } from "./processor_time.ts";
import { Scene } from "./scene.ts";

const PAIRS = 2;
const HOSTS = 20;

/** Five modules, whose files are each host's own. */
const PLAYBOOK = `
- hosts: all
  vars:
    ansible_python_interpreter: "{{ ansible_playbook_python }}"
    place: "{{ directory }}/{{ inventory_hostname }}"
  tasks:
    - file: { path: "{{ place }}", state: directory }
    - copy: { content: "{{ ansible_hostname }}", dest: "{{ place }}/copied" }
    - lineinfile: { path: "{{ place }}/copied", line: added, create: true }
    - stat: { path: "{{ place }}/copied" }
    - command: cat "{{ place }}/copied"
`;

/** Runs on many hosts. */
export async function hosts(): Promise<Figure[]> {
  await using scene = await Scene.create({ "site.yml": PLAYBOOK });
  const { project } = scene;
  await using server = await SshServer.start(project.path("ssh"));
  const names = Array.from({ length: HOSTS }, (_, i) => `h${i}`);
  await project.write({ remote: server.inventory(...names) });
  const worker = await scene.worker();
  const masters = () =>
    processesNamed(new RegExp(`^ssh: ${project.path("home")}/\\S+ \\[mux\\]$`));
  const disconnect = async () => {
    killAll(await masters());
    await until(
      "the end of all connections",
      async () => (await masters()).length === 0,
    );
  };
  const directory = project.path("hosts");
  const message: number[] = [];
  const hand: number[] = [];
  const own: number[] = [];
  // One of each first, which is not counted.
  for (let i = -1; i < PAIRS; i++) {
    await disconnect();
    const before = (await processorTime(worker.pid)).own;
    const byMessage = await scene.byMessage(
      scene.request("site.yml", {
        inventory: "remote",
        extra_vars: { directory },
      }),
    );
    const after = (await processorTime(worker.pid)).own;
    await disconnect();
    const byHand = await scene.byHand("ansible-playbook", [
      "--inventory=remote",
      `--extra-vars=${JSON.stringify({ directory })}`,
      "--",
      "site.yml",
    ]);
    if (i < 0) continue;
    message.push(byMessage);
    hand.push(byHand);
    own.push(after - before);
  }
  await disconnect();
  const what = `hosts: ${HOSTS} over SSH, facts and 5 modules`;
  return [
    { what: `${what}, by hand`, values: hand, unit: "s" },
    {
      what: `${what}, by message`,
      values: message,
      unit: "s",
      against: { what: "by hand", ratios: ratios(message, hand) },
    },
    {
      what: "hosts: the same, processor of the worker",
      values: own,
      unit: "s",
      against: { what: "the whole time", ratios: ratios(own, message) },
    },
  ];
}

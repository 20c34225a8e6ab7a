/**
 * Tasks while somebody pushes again and again: each says which commit it ran on,
 * and that is the one whose files it saw.
 *
 * `deno run -A tests/faults/pushes_run.ts 200 300` does it at length.
 *
 * @module
 */
import assert from "node:assert/strict";
import { Broker } from "../harness/broker.ts";
import { Client } from "../harness/client.ts";
import { changed, contentOf, contentSaid } from "../harness/content.ts";
import { GitHttpServer } from "../harness/git_http_server.ts";
import { Project } from "../harness/project.ts";
import { SshServer } from "../harness/ssh_server.ts";
import { Worker } from "../harness/worker.ts";

/** Looks at its files in three play tasks, with time between them. */
const SITE = `
- hosts: all
  gather_facts: false
  vars_files: [version.yml]
  tasks:
    - set_stats: { data: { first: "{{ version }}", file: "{{ lookup('file', 'version') }}" } }
    - debug: { msg: "{{ lookup('pipe', 'sleep 0.3') }}" }
    - include_tasks: last.yml
`;
const LAST =
  `- set_stats: { data: { last: "{{ lookup('file', 'version') }}" } }\n`;

/**
 * Pushes so often, while so many tasks run.
 *
 * @returns on how many commits they ran
 */
export async function pushWhileTasksRun(
  { pushes, tasks, by }: { pushes: number; tasks: number; by: "http" | "ssh" },
): Promise<number> {
  await using broker = await Broker.start();
  await using project = await Project.create();
  const { repository, ...options } = await contentOf(project);
  const first = await repository.commit({ "site.yml": SITE, "last.yml": LAST });
  const versions = new Map([[first, "1"]]);
  await using http = new GitHttpServer(project.path("repositories"));
  await using stack = new AsyncDisposableStack();
  let place: Record<string, unknown> = {
    repository: http.url("playbooks.git"),
  };
  if (by === "ssh") {
    const server = stack.use(await SshServer.start(project.path("ssh")));
    const { url, key, knownHosts } = await server.repository(repository.path);
    place = {
      repository: url,
      ssh_key_file: key,
      ssh_known_hosts_file: knownHosts,
    };
  }
  await using client = await Client.connect(broker.port);
  await using worker = await Worker.start({
    project,
    port: broker.port,
    narrow: true,
    worker: {
      ...options.worker,
      max_concurrent_tasks: 2,
      max_queue_size: 1000,
    },
    config: {
      content: { ...options.config.content as object, ...place },
    },
  });
  let last = "";
  let pushed = 1;
  for (let i = 0; i < tasks; i++) {
    // As often as it takes for both to go on as long as each other.
    for (; pushed - 1 < (i + 1) * pushes / tasks; pushed++) {
      last = await repository.commit(changed(String(pushed + 1)));
      versions.set(last, String(pushed + 1));
      await client.publish("ansible/test/content", "");
    }
    await client.submit({
      task_id: `t-${i}`,
      playbook: "site.yml",
      inventory: "hosts",
    });
    if (i >= 4) await client.final(`t-${i - 4}`);
    // However slow a look is, half of them come when a push is in use.
    if (i === Math.floor(tasks / 2)) {
      await contentSaid(client, ({ revision }) => revision !== first);
    }
  }
  const seen = new Set<string>();
  for (let i = 0; i < tasks; i++) {
    const { state, revision, stats, error_message } = await client.final(
      `t-${i}`,
    );
    assert.equal(state, "success", error_message ?? "");
    const version = versions.get(revision!)!;
    seen.add(revision!);
    assert.deepEqual(stats!.run, {
      first: Number(version),
      file: version,
      last: version,
    });
    for (const status of client.history(`t-${i}`)) {
      if (status.state !== "queued") assert.equal(status.revision, revision);
    }
  }
  await contentSaid(client, ({ revision }) => revision === last);
  assert.equal(await worker.stop(), 0);
  return seen.size;
}

if (import.meta.main) {
  const [pushes, tasks] = Deno.args.map(Number) as [number, number];
  for (const by of ["http", "ssh"] as const) {
    const began = performance.now();
    const commits = await pushWhileTasksRun({ pushes, tasks, by });
    console.log(
      `${by}: ${pushes} pushes, ${tasks} tasks on ${commits} commits, none mixed, none failed, ${
        ((performance.now() - began) / 1000).toFixed(0)
      } s`,
    );
  }
}

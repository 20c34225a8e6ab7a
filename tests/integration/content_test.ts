/** Playbooks from a git repository: what runs, and what is said of it. */
import assert from "node:assert/strict";
import { freePort } from "../../dev/programs.ts";
import { Broker } from "../harness/broker.ts";
import { Client } from "../harness/client.ts";
import { at, run } from "../harness/client_program.ts";
import { changed, contentOf, contentSaid } from "../harness/content.ts";
import { examine } from "../harness/doctor.ts";
import { pushWhileTasksRun } from "../faults/pushes_run.ts";
import { git } from "../harness/git_repository.ts";
import { GitHttpServer } from "../harness/git_http_server.ts";
import { ProcReader } from "../harness/proc_reader.ts";
import { Project } from "../harness/project.ts";
import { Scrape } from "../harness/scrape.ts";
import { SshServer } from "../harness/ssh_server.ts";
import { until } from "../harness/waiting.ts";
import { Worker } from "../harness/worker.ts";

const options = { sanitizeOps: true, sanitizeResources: true };

/** A request for the playbook that tells its commit. */
function site(id: string, more = {}) {
  return { task_id: id, playbook: "site.yml", inventory: "hosts", ...more };
}

Deno.test({
  ...options,
  name:
    "a worker runs what is in its repository, a message makes it look, and statuses say the commit",
  async fn() {
    await using broker = await Broker.start();
    await using project = await Project.create();
    const { repository, ...keys } = await contentOf(project);
    const one = await repository.head();
    await repository.git("tag", "-a", "-m", "x", "v1");
    await repository.push();
    await using client = await Client.connect(broker.port);
    await using worker = await Worker.start({
      project,
      port: broker.port,
      narrow: true,
      ...keys,
    });
    const first = await client.run(site("t1"));
    assert.equal(first.state, "success", first.error_message ?? "");
    assert.equal(first.revision, one);
    assert.deepEqual(first.stats!.run, { version: 1, file: "1" });
    for (const { state, revision } of client.history("t1")) {
      assert.equal(revision, state === "queued" ? null : one, state);
    }
    const said = await contentSaid(client, () => true);
    assert.equal(said.revision, one);
    assert.equal(said.ref, "HEAD");
    assert.equal(said.problem, null);

    // A burst becomes one look, or two.
    const two = await repository.commit(changed("2"));
    const looks = () => worker.log.split("is in use").length - 1;
    const before = looks();
    for (let i = 0; i < 20; i++) {
      await client.publish("ansible/test/content", `{"after":"${i}"}`);
    }
    await contentSaid(client, ({ revision }) => revision === two);
    await worker.logged("is in use", before + 1);
    assert.equal(looks(), before + 1);
    const second = await client.run(site("t2"));
    assert.equal(second.revision, two);
    assert.deepEqual(second.stats!.run, { version: 2, file: "2" });

    for (const [i, name] of [one, one.slice(0, 8), "v1"].entries()) {
      const old = await client.run(site(`old-${i}`, { revision: name }));
      assert.equal(old.state, "success", old.error_message ?? "");
      assert.equal(old.revision, one);
      assert.deepEqual(old.stats!.run, { version: 1, file: "1" });
    }
    const third = await client.run(site("t3"));
    assert.equal(third.revision, two);

    await repository.git("checkout", "-q", "-b", "side");
    const side = await repository.commit(changed("side"));
    for (
      const [name, why] of [
        [side, /^revision ".+" cannot be run: .*cannot be reached from "HEAD"/],
        [
          "nothing",
          /there is no commit and no tag "nothing" in the repository/,
        ],
      ] as const
    ) {
      const refused = await client.run(
        site(`refused-${name.slice(0, 7)}`, { revision: name }),
      );
      assert.equal(refused.state, "failed");
      assert.equal(refused.revision, null);
      assert.match(refused.error_message!, why);
    }
    assert.equal(await worker.stop(), 0);
  },
});

Deno.test({
  ...options,
  name:
    "a run sees one commit from its beginning to its end, whatever is pushed meanwhile, and old checkouts go",
  async fn() {
    await using broker = await Broker.start();
    await using project = await Project.create();
    const { repository, ...keys } = await contentOf(project, { keep: 1 });
    const go = project.path("go");
    await repository.commit({
      "long.yml": `
- hosts: all
  gather_facts: false
  vars: { first: "{{ lookup('file', 'version') }}" }
  tasks:
    - set_stats: { data: { first: "{{ lookup('file', 'version') }}" } }
    - command: "{{ lookup('pipe', 'until [ -e ${go} ]; do sleep 0.1; done; echo true') }}"
    - include_tasks: last.yml
`,
      "last.yml":
        `- set_stats: { data: { last: "{{ lookup('file', 'version') }}" } }\n`,
    });
    const begun = await repository.head();
    await using client = await Client.connect(broker.port);
    await using worker = await Worker.start({
      project,
      port: broker.port,
      narrow: true,
      ...keys,
      worker: { ...keys.worker, max_concurrent_tasks: 2 },
    });
    await client.submit(site("long", { playbook: "long.yml" }));
    await client.status("long", ({ state }) => state === "running");
    await repository.write({ "last.yml": "- fail:\n" });
    let last = "";
    for (let i = 2; i < 6; i++) {
      last = await repository.commit(changed(String(i)));
      await client.publish("ansible/test/content", "");
      await contentSaid(client, ({ revision }) => revision === last);
      const short = await client.run(site(`short-${i}`));
      assert.equal(short.revision, last);
      assert.deepEqual(short.stats!.run, { version: i, file: String(i) });
    }
    await Deno.writeTextFile(go, "");
    const final = await client.final("long");
    assert.equal(final.state, "success", final.error_message ?? "");
    assert.equal(final.revision, begun);
    assert.deepEqual(final.stats!.run, { first: "1", last: "1" });
    // The one in use, and one more.
    const checkouts = `${project.path("content")}/commits`;
    const names = async () =>
      (await Array.fromAsync(Deno.readDir(checkouts))).map(({ name }) => name);
    await until(
      "old checkouts to be gone",
      async () => (await names()).length === 2,
    );
    assert.ok((await names()).includes(last));
    assert.equal(
      await Deno.readLink(`${project.path("content")}/current`),
      `commits/${last}`,
    );
    assert.equal(await worker.stop(), 0);
  },
});

Deno.test({
  ...options,
  name:
    "who watches a worker learns its commit, and what is wrong with a newer one",
  async fn() {
    await using broker = await Broker.start();
    await using project = await Project.create();
    const { repository, worker: settings, config } = await contentOf(project);
    const one = await repository.head();
    await using client = await Client.connect(broker.port);
    const metrics = freePort();
    await using worker = await Worker.start({
      project,
      port: broker.port,
      worker: settings,
      config: {
        ...config,
        metrics: { listen: `127.0.0.1:${metrics}` },
        templates: {
          released: {
            playbook: "site.yml",
            inventory: "hosts",
            revision: one.slice(0, 12),
          },
        },
      },
    });
    const workers = async () =>
      (await run(["workers", ...at(broker.port)])).stdout.split("\n")[1];
    assert.match((await workers())!, new RegExp(`${one.slice(0, 10)}$`));
    const two = await repository.commit(changed("2"));
    const asked = await run(["refresh", ...at(broker.port)]);
    assert.equal(asked.code, 0, asked.stderr);
    assert.equal(asked.stdout, `w1 looks; it uses ${one} of HEAD\n`);
    await contentSaid(client, ({ revision }) => revision === two);

    const now = await Scrape.of(metrics);
    assert.equal(now.value("content_info", { revision: two, ref: "HEAD" }), 1);
    assert.equal(now.value("content_problem"), 0);
    await repository.commit({ "site.yml": "- hosts: [\n" });
    await run(["refresh", ...at(broker.port)]);
    const said = await contentSaid(client, ({ problem }) => problem !== null);
    assert.equal((await Scrape.of(metrics)).value("content_problem"), 1);
    const health = await fetch(`http://127.0.0.1:${metrics}/health`);
    assert.equal(health.status, 200);
    assert.deepEqual((await health.json()).content, said);
    const told = await run(["workers", ...at(broker.port)]);
    assert.match(told.stdout, new RegExp(`${two.slice(0, 10)} \\(!\\)`));
    assert.match(told.stderr, /^w1: playbooks from git: .*site\.yml/);

    // By the command, and by a template.
    const place = at(broker.port);
    const submitted = await run([
      "submit",
      "site.yml",
      "-i",
      "hosts",
      "--revision",
      one,
      "--id",
      "old",
      ...place,
    ]);
    assert.equal(submitted.code, 0, submitted.stderr);
    assert.equal((await client.final("old")).revision, one);
    const released = await client.run({ task_id: "r", template: "released" });
    assert.equal(released.state, "success", released.error_message ?? "");
    assert.equal(released.revision, one);
    assert.equal(await worker.stop(), 0);
  },
});

Deno.test({
  ...options,
  name: "a worker whose playbooks do not come from git refuses a revision",
  async fn() {
    await using broker = await Broker.start();
    await using project = await Project.create();
    await using client = await Client.connect(broker.port);
    await using worker = await Worker.start({ project, port: broker.port });
    const refused = await client.run(project.work("t", { revision: "v1" }));
    assert.equal(refused.state, "failed");
    assert.equal(refused.revision, null);
    assert.match(refused.error_message!, /do not come from git \(content\)/);
    assert.deepEqual(await project.truth(), []);
    assert.equal(await worker.stop(), 0);
  },
});

// At length, with 200 pushes and 300 tasks: see `pushes_run.ts`.
for (
  const { by, pushes, tasks } of [
    { by: "http", pushes: 6, tasks: 18 },
    { by: "ssh", pushes: 3, tasks: 9 },
  ] as const
) {
  Deno.test({
    ...options,
    name:
      `by ${by}: while somebody pushes, each task runs on one commit, and says which`,
    ignore: by === "ssh" && !SshServer.isInstalled(),
    async fn() {
      const commits = await pushWhileTasksRun({ pushes, tasks, by });
      assert.ok(commits > 1, `all on ${commits}`);
    },
  });
}

const PASSWORD = "repository-pass/word-4711";

Deno.test({
  ...options,
  name:
    "no secret of the repository is in /proc, in logs, statuses or checkouts",
  async fn() {
    await using broker = await Broker.start();
    await using project = await Project.create();
    const { repository, ...keys } = await contentOf(project);
    // A submodule of the same server wants it too.
    const { GitRepository } = await import("../harness/git_repository.ts");
    await GitRepository.create(project.path("repositories/more.git"), {
      "said.txt": "by the submodule\n",
    });
    await using server = new GitHttpServer(project.path("repositories"), {
      user: { name: "reader", password: PASSWORD },
    });
    await repository.git(
      "-c",
      "protocol.file.allow=always",
      "submodule",
      "--quiet",
      "add",
      project.path("repositories/more.git"),
      "more",
    );
    await repository.git(
      "config",
      "-f",
      ".gitmodules",
      "submodule.more.url",
      "../more.git",
    );
    // As does a large file, for which a commit has its name only.
    await Deno.writeTextFile(
      project.path("home/.gitconfig"),
      '[filter "lfs"]\n  smudge = git-lfs smudge -- %f\n  required = true\n',
    );
    const one = await repository.commit({
      ".gitattributes": "large.txt filter=lfs\n",
      "large.txt": server.addLargeFile("by a large file\n"),
      "site.yml": `
- hosts: all
  gather_facts: false
  tasks:
    - set_stats: { data: { said: "{{ lookup('file', 'more/said.txt') }}" } }
    - set_stats: { data: { large: "{{ lookup('file', 'large.txt') }}" } }
`,
    });
    await using client = await Client.connect(broker.port);
    const set = {
      project,
      port: broker.port,
      narrow: true,
      ...keys,
      config: {
        content: {
          ...keys.config.content as object,
          repository: server.url("playbooks.git"),
          username: "reader",
          password: "${GIT_PASSWORD}",
        },
      },
      env: { GIT_PASSWORD: PASSWORD },
    };
    // The doctor gets in too, and leaves nothing behind.
    const report = await examine(set);
    assert.equal(report.code, 0, report.text);
    assert.match(report.of("content").message, /HEAD is/);
    assert.ok(!report.text.includes(PASSWORD));
    await assert.rejects(Deno.stat(project.path("content")));
    await using worker = await Worker.spawn(set);
    await using reader = new ProcReader(worker.pid, [
      PASSWORD,
      encodeURIComponent(PASSWORD),
      btoa(`reader:${PASSWORD}`),
      "git-remote-http",
    ]);
    await worker.logged("ready for tasks");
    const first = await client.run(site("t1"));
    assert.equal(first.state, "success", first.error_message ?? "");
    assert.equal(first.revision, one);
    assert.deepEqual(first.stats!.run, {
      said: "by the submodule",
      large: "by a large file",
    });
    const two = await repository.commit(changed("2"));
    await client.publish("ansible/test/content", "");
    await contentSaid(client, ({ revision }) => revision === two);
    assert.equal(await worker.stop(), 0);
    await worker.ended();

    const findings = [...reader.findings.values()];
    assert.ok(findings.some(({ text }) => text === "git-remote-http"));
    for (const { text, where, command } of findings) {
      if (text === "git-remote-http") continue;
      // The variable by which the worker itself is told.
      assert.equal(where, "environment");
      assert.match(command, /src\/main\.ts/);
    }
    assert.ok(!worker.log.includes(PASSWORD));
    for (const { topic, text } of client.messages) {
      assert.ok(!text.includes(PASSWORD), topic);
    }
    const { code, stdout } = await new Deno.Command("grep", {
      args: ["-rlF", "-e", PASSWORD, project.path("")],
    }).output();
    assert.equal(code, 1, new TextDecoder().decode(stdout));
    assert.equal(
      (await git([
        "-C",
        `${project.path("content")}/commits/${two}`,
        "remote",
        "get-url",
        "origin",
      ])).trim(),
      server.url("playbooks.git"),
    );
    // Nothing of git's is left running.
    await project.quiet();
  },
});

/**
 * Playbooks from git, when something goes wrong: what was in use stays in use, is
 * run, and it is said why.
 */
import assert from "node:assert/strict";
import { Broker } from "../harness/broker.ts";
import { Client } from "../harness/client.ts";
import {
  changed,
  type ContentKeys,
  contentOf,
  contentSaid,
} from "../harness/content.ts";
import type { GitRepository } from "../harness/git_repository.ts";
import { Project } from "../harness/project.ts";
import { SshServer } from "../harness/ssh_server.ts";
import { pause, until } from "../harness/waiting.ts";
import { Worker } from "../harness/worker.ts";

const sanitized = { sanitizeOps: true, sanitizeResources: true };

/** A group of one worker, and its repository. */
interface Scene {
  project: Project;
  broker: Broker;
  client: Client;
  repository: GitRepository;
  /** Starts the worker, and waits until it is ready. */
  start(
    keys?: ContentKeys,
    more?: { env?: Record<string, string> },
  ): Promise<Worker>;
  /** The same, without the wait. */
  spawn(keys?: ContentKeys): Promise<Worker>;
  /** Has the worker look; settles when it says what fits. */
  look(
    fits: Parameters<typeof contentSaid>[1],
  ): ReturnType<typeof contentSaid>;
  /** Runs the playbook that tells its commit. */
  run(more?: Record<string, unknown>): ReturnType<Client["run"]>;
}

function test(name: string, body: (scene: Scene) => Promise<void>): void {
  Deno.test({
    ...sanitized,
    name,
    async fn() {
      await using broker = await Broker.start();
      await using project = await Project.create();
      const { repository, ...options } = await contentOf(project);
      await using client = await Client.connect(broker.port);
      await using stack = new AsyncDisposableStack();
      const given = (keys: ContentKeys = {}) => ({
        project,
        port: broker.port,
        narrow: true,
        worker: options.worker,
        config: {
          content: { ...options.config.content as object, ...keys },
        },
      });
      let count = 0;
      await body({
        project,
        broker,
        client,
        repository,
        start: async (keys, more) =>
          stack.use(await Worker.start({ ...given(keys), ...more })),
        spawn: async (keys) => stack.use(await Worker.spawn(given(keys))),
        async look(fits) {
          client.messages.length = 0;
          await client.publish("ansible/test/content", "");
          return await contentSaid(client, fits);
        },
        run: (more = {}) =>
          client.run({
            task_id: `t-${++count}`,
            playbook: "site.yml",
            inventory: "hosts",
            ...more,
          }),
      });
    },
  });
}

/** What is in use stays in use, is run, and it is said why. */
async function stays(
  scene: Scene,
  commit: string,
  why: RegExp,
): Promise<void> {
  const said = await scene.look(({ problem }) => why.test(problem ?? ""));
  assert.equal(said.revision, commit);
  const { state, revision, error_message } = await scene.run();
  assert.equal(state, "success", error_message ?? "");
  assert.equal(revision, commit);
}

/** A new commit is used, and nothing is wrong any more. */
async function moves(scene: Scene, commit: string): Promise<void> {
  await scene.look(({ problem, revision }) =>
    revision === commit && problem === null
  );
  const { state, revision, error_message } = await scene.run();
  assert.equal(state, "success", error_message ?? "");
  assert.equal(revision, commit);
}

test("what cannot be had leaves in use what was, and is said", async (scene) => {
  const { repository, project } = scene;
  const worker = await scene.start({ requirements: true });
  const one = await repository.head();

  // The repository is away.
  await Deno.rename(repository.path, `${repository.path}.away`);
  await stays(scene, one, /^cannot reach the repository: .*does not appear/);
  await worker.logged(`; ${one} stays in use`);
  await Deno.rename(`${repository.path}.away`, repository.path);

  // A playbook that is no YAML.
  await repository.commit({ "site.yml": "- hosts: all\n   tasks: [\n" });
  await stays(
    scene,
    one,
    /^cannot use the commit: site\.yml: mapping values are not allowed.* line 2/,
  );

  // Requirements that cannot be read, and others that cannot be had.
  await repository.git("revert", "--no-edit", "HEAD");
  await repository.commit({ "requirements.yml": "roles: [\n" });
  await stays(
    scene,
    one,
    /^cannot install what requirements.yml asks for: requirements.yml: while parsing/,
  );
  await repository.commit({
    "requirements.yml": `roles: [{ name: there, src: "git+file://${
      project.path("none")
    }" }]\n`,
  });
  await stays(
    scene,
    one,
    /^cannot install what requirements.yml asks for: requirements.yml: .*none/,
  );

  // An ansible.cfg with which no launcher starts.
  await repository.commit({
    "requirements.yml": null,
    "ansible.cfg": "[defaults]\nforks = many\n",
  });
  await stays(scene, one, /ansible-playbook, as launcher, ended/);

  // A directory that is not there, and the branch that is gone.
  await repository.commit({ "ansible.cfg": null, hosts: null });
  const mended = await repository.commit({
    ...changed("2"),
    hosts: "h1 ansible_connection=local\n",
  });
  await moves(scene, mended);

  // A history that was rewritten.
  await repository.git("checkout", "-q", "--orphan", "other");
  await repository.git("branch", "-q", "-D", "main");
  await repository.git("branch", "-q", "-m", "main");
  const rewritten = await repository.commit(changed("3"));
  await moves(scene, rewritten);
  const refused = await scene.run({ revision: mended });
  assert.match(refused.error_message!, /cannot be reached from "HEAD"/);
  assert.equal(await worker.stop(), 0);
});

test("roles and collections are installed into the checkout", async (scene) => {
  const { repository, project } = scene;
  const role = project.path("role");
  await Deno.mkdir(`${role}/tasks`, { recursive: true });
  await Deno.writeTextFile(
    `${role}/tasks/main.yml`,
    "- set_stats: { data: { role: ran } }\n",
  );
  const { GitRepository } = await import("../harness/git_repository.ts");
  const roles = await GitRepository.create(project.path("role.git"), {
    "tasks/main.yml": "- set_stats: { data: { role: ran } }\n",
    "meta/main.yml": "galaxy_info: { author: x, description: x, license: x }\n",
  });
  const collections = await GitRepository.create(
    project.path("collection.git"),
    {
      "galaxy.yml":
        "namespace: our\nname: own\nversion: 1.0.0\nreadme: README.md\nauthors: [x]\n",
      "README.md": "x\n",
      "plugins/filter/twice.py":
        "class FilterModule:\n    def filters(self):\n        return {'twice': lambda text: text * 2}\n",
    },
  );
  const commit = await repository.commit({
    "requirements.yml": `
roles: [{ name: there, src: "git+file://${roles.path}", version: main }]
collections: [{ name: "file://${collections.path}", type: git, version: main }]
`,
    "site.yml": `
- hosts: all
  gather_facts: false
  roles: [there]
  tasks:
    - set_stats: { data: { filter: "{{ 'ab' | our.own.twice }}" } }
`,
  });
  const worker = await scene.start({ requirements: true });
  const final = await scene.run();
  assert.equal(final.state, "success", final.error_message ?? "");
  assert.equal(final.revision, commit);
  assert.deepEqual(final.stats!.run, { role: "ran", filter: "abab" });
  assert.equal(await worker.stop(), 0);
});

/** Makes a small file system at a path; false where that is not allowed. */
async function mounted(path: string): Promise<boolean> {
  await Deno.mkdir(path);
  const { success } = await new Deno.Command("mount", {
    args: ["-t", "tmpfs", "-o", "size=8m,mode=700", "tmpfs", path],
    stderr: "null",
  }).output().catch(() => ({ success: false }));
  return success;
}

test("a full disk leaves in use what was, and is said", async (scene) => {
  const { repository, project } = scene;
  const disk = project.path("disk");
  if (!await mounted(disk)) {
    console.log("not looked at: only root may mount a file system");
    return;
  }
  try {
    const worker = await scene.start({ directory: `${disk}/content` });
    const one = await repository.head();
    const next = await repository.commit({
      ...changed("2"),
      large: "x".repeat(1024 * 1024),
    });
    // All that there is, but for a few blocks.
    const { code } = await new Deno.Command("dd", {
      args: ["if=/dev/zero", `of=${disk}/filler`, "bs=4096"],
      stderr: "null",
    }).output();
    assert.notEqual(code, 0, "the disk is full");
    await stays(scene, one, /No space left on device/);
    await Deno.remove(`${disk}/filler`);
    await moves(scene, next);
    assert.equal(await worker.stop(), 0);
  } finally {
    await new Deno.Command("umount", { args: ["--lazy", disk] }).output();
  }
});

/** A key to sign with, and the line by which it is trusted. */
async function signer(directory: string, name: string) {
  const key = `${directory}/${name}`;
  const { success } = await new Deno.Command("ssh-keygen", {
    args: ["-q", "-t", "ed25519", "-N", "", "-f", key],
  }).output();
  assert.ok(success);
  const line = `${name}@example.com ${await Deno.readTextFile(`${key}.pub`)}`;
  return { key, line };
}

test("only commits of trusted signers are used", async (scene) => {
  const { repository, project } = scene;
  const directory = project.path("keys");
  await Deno.mkdir(directory);
  const ann = await signer(directory, "ann");
  const bob = await signer(directory, "bob");
  const eve = await signer(directory, "eve");
  const trusted = `${directory}/trusted`;
  await Deno.writeTextFile(trusted, ann.line + bob.line);
  await repository.git("config", "gpg.format", "ssh");
  const by = ({ key }: { key: string }) => `-S${key}`;
  // What the user trusts by himself counts for nothing.
  await Deno.writeTextFile(`${directory}/all`, ann.line + bob.line + eve.line);
  await Deno.writeTextFile(
    project.path("home/.gitconfig"),
    `[gpg "ssh"]\n  allowedSignersFile = ${directory}/all\n`,
  );
  const one = await repository.commit(changed("2"), by(bob));
  const worker = await scene.start({ trusted_signers: trusted });
  const first = await scene.run();
  assert.equal(first.revision, one);

  await repository.commit(changed("3"));
  await stays(scene, one, /^cannot trust the commit: .* it has no signature/);
  const stranger = await repository.commit(changed("4"), by(eve));
  await stays(scene, one, /^cannot trust the commit: .*No principal matched/);
  const { error_message, state } = await scene.run({ revision: stranger });
  assert.equal(state, "failed");
  assert.match(error_message!, /cannot trust the commit/);
  const two = await repository.commit(changed("5"), by(ann));
  await moves(scene, two);

  // A merge of what is signed is a commit, too.
  await repository.git("checkout", "-q", "-b", "side");
  await repository.commit({ more: "x\n" }, by(ann));
  await repository.git("checkout", "-q", "main");
  await repository.commit({ other: "x\n" }, by(ann));
  await repository.git("merge", "-q", "--no-edit", "side");
  await repository.push();
  await stays(scene, two, /^cannot trust the commit: .* it has no signature/);

  // A signer who is trusted no more.
  await Deno.writeTextFile(trusted, bob.line);
  await repository.commit(changed("6"), by(ann));
  await stays(scene, two, /^cannot trust the commit: .*No principal matched/);
  // What was in use is of the same signer: after a restart it is not used.
  assert.equal(await worker.stop(), 0);
  const again = await scene.spawn({ trusted_signers: trusted });
  await again.logged("and what was in use last cannot be used");
  assert.ok(!again.log.includes("ready for tasks"));
  const good = await repository.commit(changed("7"), by(bob));
  await again.logged("ready for tasks");
  const last = await scene.run();
  assert.equal(last.revision, good);
  assert.equal(await again.stop(), 0);
});

test("a worker that is killed while it looks goes on with what is complete", async (scene) => {
  const { repository, project } = scene;
  const slow = project.path("slow");
  await Deno.mkdir(slow);
  // Each of them stops for a while at its first call with these words.
  for (
    const [program, words] of [
      ["git", "fetch"],
      ["git", "checkout"],
      ["ansible-galaxy", "install"],
      ["mv", "current"],
    ] as const
  ) {
    await Deno.writeTextFile(
      `${slow}/${program}`,
      `#!/bin/sh
PATH=\${PATH#${slow}:}
case "$*" in
  *${words}*) [ ! -e ${slow}/wait-${words} ] || { rm ${slow}/wait-${words}; sleep 600; } ;;
${
        program === "git" && words === "checkout"
          ? `  *fetch*) [ ! -e ${slow}/wait-fetch ] || { rm ${slow}/wait-fetch; sleep 600; } ;;\n`
          : ""
      }esac
exec ${program} "$@"
`,
      { mode: 0o755 },
    );
  }
  const start = () =>
    scene.start({ requirements: true }, {
      env: { PATH: `${slow}:${Deno.env.get("PATH")}` },
    });
  await repository.commit({ "requirements.yml": "roles: []\n" });
  let worker = await start();
  for (
    const [i, words] of ["fetch", "checkout", "install", "current"].entries()
  ) {
    const next = await repository.commit({
      ...changed(`${i}`),
      "requirements.yml":
        `roles: [{ name: there, src: "git+file://${repository.path}" }]\n`,
      "meta/main.yml": "galaxy_info: {}\n",
    });
    await Deno.writeTextFile(`${slow}/wait-${words}`, "");
    await scene.client.publish("ansible/test/content", "");
    await until(`${words} to begin`, async () => {
      try {
        await Deno.stat(`${slow}/wait-${words}`);
        return false;
      } catch {
        return true;
      }
    });
    await pause(0.1);
    await worker.kill();
    await project.quiet();
    // What git was doing when it was killed is not in its way.
    await Deno.writeTextFile(
      `${project.path("content")}/repository/refs/heads/main.lock`,
      "",
    );
    scene.client.messages.length = 0;
    worker = await start();
    await contentSaid(scene.client, ({ revision }) => revision === next);
    const final = await scene.run();
    assert.equal(final.state, "success", final.error_message ?? "");
    assert.equal(final.revision, next, words);
    assert.deepEqual(final.stats!.run, { version: i, file: String(i) });
  }
  assert.equal(await worker.stop(), 0);
});

test("a worker that has never had a commit says so, is not ready, and tries again", async (scene) => {
  const { repository } = scene;
  await Deno.rename(repository.path, `${repository.path}.away`);
  const worker = await scene.spawn();
  await worker.logged("no playbooks from git: cannot reach the repository");
  assert.ok(!worker.log.includes("ready for tasks"));
  await Deno.rename(`${repository.path}.away`, repository.path);
  await worker.logged("ready for tasks");
  assert.equal((await scene.run()).state, "success");
  // With one, it begins with that.
  assert.equal(await worker.stop(), 0);
  await Deno.rename(repository.path, `${repository.path}.away`);
  const again = await scene.start();
  await again.logged("what was in use last is used");
  const { revision, state } = await scene.run();
  assert.equal(state, "success");
  assert.equal(revision, await repository.head());
  assert.equal(await again.stop(), 0);
});

Deno.test({
  ...sanitized,
  name: "a repository by SSH, with a deploy key and known hosts",
  ignore: !SshServer.isInstalled(),
  async fn() {
    await using broker = await Broker.start();
    await using project = await Project.create();
    await using server = await SshServer.start(project.path("ssh"));
    const { repository, ...options } = await contentOf(project);
    const { url, key, knownHosts } = await server.repository(repository.path);
    await using client = await Client.connect(broker.port);
    await using worker = await Worker.start({
      project,
      port: broker.port,
      narrow: true,
      worker: options.worker,
      config: {
        content: {
          ...options.config.content as object,
          repository: url,
          ssh_key_file: key,
          ssh_known_hosts_file: knownHosts,
        },
      },
    });
    const request = { playbook: "site.yml", inventory: "hosts" };
    const first = await client.run({ task_id: "t1", ...request });
    assert.equal(first.revision, await repository.head());
    // A host that nobody knows.
    await Deno.writeTextFile(knownHosts, "");
    await repository.commit(changed("2"));
    await client.publish("ansible/test/content", "");
    const { problem } = await contentSaid(
      client,
      ({ problem }) => problem !== null,
    );
    assert.match(problem!, /Host key verification failed/);
    assert.equal(await worker.stop(), 0);
  },
});

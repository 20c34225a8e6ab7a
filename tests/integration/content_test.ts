/** Playbooks from a git repository: what runs, and what is said of it. */
import assert from "node:assert/strict";
import { Broker } from "../harness/broker.ts";
import { Client } from "../harness/client.ts";
import { changed, contentOf, contentSaid } from "../harness/content.ts";
import { Project } from "../harness/project.ts";
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
    const looks = () => worker.log.split("is in use").length;
    const before = looks();
    for (let i = 0; i < 20; i++) {
      await client.publish("ansible/test/content", `{"after":"${i}"}`);
    }
    await contentSaid(client, ({ revision }) => revision === two);
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

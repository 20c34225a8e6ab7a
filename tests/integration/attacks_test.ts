/**
 * Every attack is published for real to a worker under its narrowest
 * permissions: none succeeds, each has its documented answer, and the worker
 * takes the next good task.
 */
import assert from "node:assert/strict";
import { Broker } from "../harness/broker.ts";
import { Client } from "../harness/client.ts";
import { Project } from "../harness/project.ts";
import { Signer } from "../harness/signing.ts";
import { Worker } from "../harness/worker.ts";
import {
  type Attack,
  DEFAULT_TOPIC,
  plainAttacks,
  type Scene,
  signedAttacks,
} from "./attacks.ts";

/** Stands in files that no message may bring out. */
const SECRET = "canary-in-a-coal-mine";

/** A playbook that uses a variable in many ways. */
const TELL = `
- hosts: all
  gather_facts: false
  tasks:
    - debug: { msg: "{{ x }}" }
    - set_fact: { y: "{{ x }}" }
    - debug: { msg: "{{ y }} {{ lookup('vars', 'x') }}" }
    - debug: { var: x }
      loop: "{{ [x] }}"
      when: x is defined
`;

/** A condition whose text comes from a variable. */
const WHEN = `
- hosts: all
  gather_facts: false
  tasks:
    - debug: { msg: "reached" }
      when: "{{ x }}"
`;

/** A directory with everything that attacks are about. */
async function scene(): Promise<Scene & AsyncDisposable> {
  const project = await Project.create({
    "tell.yml": TELL,
    "when.yml": WHEN,
    "vault-password": `${SECRET}\n`,
    id_ed25519: `${SECRET}\n`,
    "sub/inner.yml": "- hosts: all\n",
    program: "#!/bin/sh\necho '{}'\n",
  });
  const canary = project.path("canary");
  const { directory } = project;
  await Deno.chmod(`${directory}/program`, 0o755);
  await Deno.mkdir(project.path("outside"));
  const outside = `# ${SECRET}\n- hosts: all\n  tasks: []\n`;
  await Deno.writeTextFile(project.path("outside.yml"), outside);
  await Deno.writeTextFile(project.path("outside/outside.yml"), outside);
  for (
    const [name, target] of [
      ["link.yml", project.path("outside.yml")],
      ["linked", project.path("outside")],
      ["stdin", "/dev/stdin"],
      ["passwd", "/etc/passwd"],
      ["sub/key", "../id_ed25519"],
    ] as const
  ) await Deno.symlink(target, `${directory}/${name}`);
  const { success } = await new Deno.Command("mkfifo", {
    args: [`${directory}/fifo`],
  }).output();
  assert.ok(success);
  return {
    project,
    canary,
    [Symbol.asyncDispose]: () => project[Symbol.asyncDispose](),
  };
}

/** Publishes an attack, and compares what becomes of it. */
async function attempt(
  { attack, id, client }: { attack: Attack; id: string; client: Client },
): Promise<void> {
  const { answer, message, properties = {}, retain = false } = attack;
  const topic = (attack.topic ?? DEFAULT_TOPIC).replace("PLACEHOLDER", id);
  const payload = message instanceof Uint8Array
    ? message
    : (typeof message === "string" ? message : JSON.stringify(message))
      .replaceAll("PLACEHOLDER", id);
  const before = client.rejected().length;
  await client.publish(topic, payload, { qos: 2, retain, properties });
  if (retain) await client.publish(topic, "", { retain });
  if ("rejected" in answer) {
    await client.message(
      "the report",
      () => client.rejected().length > before,
    );
    const report = client.rejected()[before]!;
    assert.equal(report.reason, answer.rejected, JSON.stringify(report));
    if (answer.of) assert.match(JSON.stringify(report.errors), answer.of);
  } else if ("failed" in answer) {
    const final = await client.final(id);
    assert.equal(final.state, "failed");
    assert.match(final.error_message!, answer.failed);
    // What Ansible itself refuses has begun, and has done nothing.
    assert.equal(final.tasks_ok, 0);
  } else if ("cancelled" in answer) {
    const final = await client.final(id);
    assert.equal(final.state, "cancelled");
    assert.match(final.error_message!, answer.cancelled);
  } else if ("runs" in answer) {
    const final = await client.final(id);
    assert.equal(final.state, "success", final.error_message ?? "");
  }
}

async function nothingHasHappened(
  { project, canary }: Scene,
  { client, worker }: { client: Client; worker: Worker },
): Promise<void> {
  await assert.rejects(Deno.stat(canary), "the canary must not be there");
  await assert.rejects(Deno.stat(`${project.directory}/canary`));
  for (const { topic, text } of client.messages) {
    assert.ok(!text.includes(SECRET), topic);
    assert.ok(!topic.startsWith("ansible/leak"), topic);
  }
  assert.ok(!worker.log.includes(SECRET));
}

Deno.test({
  name: "attacks on a worker under its narrowest permissions",
  sanitizeOps: true,
  sanitizeResources: true,
  async fn(t) {
    await using place = await scene();
    const { project } = place;
    await using broker = await Broker.start();
    await using client = await Client.connect(broker.port);
    await using worker = await Worker.start({
      project,
      port: broker.port,
      narrow: true,
      worker: { task_timeout: 20 },
      config: {
        ansible: {
          vault_password_file: "playbooks/vault-password",
          private_key_file: "playbooks/id_ed25519",
        },
      },
    });
    const attacks = plainAttacks(place);
    for (const [i, attack] of attacks.entries()) {
      await t.step(attack.name.slice(0, 60), async () => {
        const before = (await project.truth()).length;
        await attempt({ attack, id: `t-${i}`, client });
        const next = await client.run(project.work(`next-${i}`));
        assert.equal(next.state, "success");
        const runs = (await project.truth()).slice(before)
          .filter(({ id }) => id !== `next-${i}`);
        if (!("runs" in attack.answer)) assert.deepEqual(runs, []);
        await nothingHasHappened(place, { client, worker });
      });
    }
    console.log(`${attacks.length} attacks`);
    assert.ok(await worker.memory() < 250);
    assert.equal(await worker.stop(), 0);
  },
});

Deno.test({
  name: "attacks on a worker that takes only signed requests",
  sanitizeOps: true,
  sanitizeResources: true,
  async fn(t) {
    await using place = await scene();
    const { project } = place;
    await using broker = await Broker.start();
    await using client = await Client.connect(broker.port);
    const signer = await Signer.create("controller");
    const stranger = await Signer.create("stranger");
    await Deno.writeTextFile(project.path("controller.pem"), signer.pem);
    await using worker = await Worker.start({
      project,
      port: broker.port,
      narrow: true,
      config: {
        security: {
          trusted_keys: [{ id: "controller", file: "controller.pem" }],
        },
      },
    });
    // The id is part of what is signed.
    const attacks = await signedAttacks(place, { signer, stranger });
    for (const [i, attack] of attacks.entries()) {
      await t.step(attack.name.slice(0, 60), async () => {
        await attempt({ attack, id: attack.id ?? "PLACEHOLDER", client });
        const id = `next-${i}`;
        const jws = await signer.sign(project.work(id), { taskId: id });
        await client.publish(DEFAULT_TOPIC, jws, { qos: 2 });
        assert.equal((await client.final(id)).state, "success");
        const runs = (await project.truth()).filter(({ id }) =>
          !id.startsWith("next-")
        );
        if (!("runs" in attack.answer)) assert.deepEqual(runs, []);
        await nothingHasHappened(place, { client, worker });
      });
    }
    console.log(`${attacks.length} attacks`);
    assert.equal(await worker.stop(), 0);
  },
});

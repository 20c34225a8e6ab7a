/** Secrets: who gets to see them, and who does not. */
import assert from "node:assert/strict";
import { Broker } from "../harness/broker.ts";
import { Client } from "../harness/client.ts";
import { ProcReader } from "../harness/proc_reader.ts";
import { Project } from "../harness/project.ts";
import { Worker } from "../harness/worker.ts";

const options = { sanitizeOps: true, sanitizeResources: true };

const SECRETS = {
  vault: "vault-password-4711",
  variable: "extra-variable-4712",
  broker: "broker-password-4713",
  environment: "environment-value-4714",
};

/** Texts that the playbook itself puts where the reader must find them. */
const PLANTED = {
  argument: "planted-argument",
  environment: "planted-environment",
  background: "planted-in-the-background",
};

/** Uses every secret, for some time and in every kind of process. */
const USE = `
- hosts: all
  gather_facts: false
  vars_files: [secret.yml]
  tasks:
    - assert:
        that:
          - opened == 'opened'
          - given == '${SECRETS.variable}'
          - lookup('env', 'API_TOKEN') == '${SECRETS.environment}'
    - ping: { data: "{{ given }}" }
    - command: sh -c 'sleep 1' ${PLANTED.argument}
      environment: { PLANTED: ${PLANTED.environment} }
    - shell: cat > /dev/null; sleep 1
      args: { stdin: "{{ given }}" }
    - shell: setsid sh -c 'sleep 2' ${PLANTED.background} > /dev/null 2>&1 &
    - debug: { msg: "{{ lookup('pipe', 'sleep 0.5') }}" }
`;

Deno.test({
  ...options,
  name: "a reader of /proc finds no secret of a task, but where it is said",
  async fn() {
    await using project = await Project.create({ "use.yml": USE });
    await encrypt(project, "secret.yml", "opened: opened\n");
    const passwords = project.path("passwords");
    await Deno.writeTextFile(passwords, `worker:${SECRETS.broker}\n`);
    await new Deno.Command("mosquitto_passwd", { args: ["-U", passwords] })
      .output();
    await using broker = await Broker.start({
      extra: ["allow_anonymous false", `password_file ${passwords}`],
    });
    await using client = await Client.connect(broker.port, {
      mqtt: { username: "worker", password: SECRETS.broker },
    });
    await using worker = await Worker.spawn({
      project,
      port: broker.port,
      narrow: true,
      mqtt: { username: "worker", password: "${MQTT_PASSWORD}" },
      config: {
        ansible: {
          vault_password: "${VAULT_PASSWORD}",
          environment: { API_TOKEN: SECRETS.environment },
        },
      },
      env: {
        MQTT_PASSWORD: SECRETS.broker,
        VAULT_PASSWORD: SECRETS.vault,
      },
    });
    await using reader = new ProcReader(worker.pid, [
      ...Object.values(SECRETS),
      ...Object.values(PLANTED),
    ]);
    await worker.logged("ready for tasks");
    const final = await client.run({
      task_id: "use",
      playbook: "use.yml",
      inventory: "hosts",
      extra_vars: { given: SECRETS.variable },
    }, 60);
    assert.equal(final.state, "success", final.error_message ?? "");
    assert.equal(await worker.stop(), 0);
    await worker.ended();

    const findings = [...reader.findings.values()];
    const of = (text: string) =>
      findings.filter((finding) => finding.text === text);
    console.log(`${reader.reads} processes read, ${findings.length} findings`);
    // It would have found them.
    assert.ok(of(PLANTED.argument).some(({ where }) => where === "arguments"));
    assert.ok(
      of(PLANTED.environment).some(({ where }) => where === "environment"),
    );
    assert.ok(of(PLANTED.background).length > 0);
    // A variable from which the configuration is filled in is in the worker's
    // own environment, and in nobody else's.
    const isWorker = (command: string) => command.includes("src/main.ts");
    for (const text of [SECRETS.broker, SECRETS.vault]) {
      assert.ok(of(text).length > 0);
      for (const finding of of(text)) {
        assert.equal(finding.where, "environment");
        assert.ok(isWorker(finding.command), JSON.stringify(finding));
      }
    }
    // What ansible.environment gives to the runs, they and what they start have.
    assert.ok(of(SECRETS.environment).length > 0);
    for (const finding of of(SECRETS.environment)) {
      assert.equal(finding.where, "environment");
      assert.ok(!isWorker(finding.command), JSON.stringify(finding));
    }
    assert.deepEqual(of(SECRETS.variable), []);

    for (const secret of Object.values(SECRETS)) {
      assert.ok(!worker.log.includes(secret), secret);
      for (const { topic, text } of client.messages) {
        // All but the request, which the client sees as it was sent, and its
        // record, which the workers alone may read (docs/security.md).
        if (topic === "ansible/test/tasks") continue;
        if (topic.startsWith("ansible/test/workers/w1/queue/")) continue;
        assert.ok(!text.includes(secret), topic);
      }
    }
    for (const [path, text] of await filesBelow(project.path(""))) {
      assert.ok(!text.includes(SECRETS.vault), path);
    }
  },
});

/** Tasks whose results must not be seen, each of which fails in its own way. */
const HIDDEN = "hidden-4715";
const FAILURES: Record<string, string> = {
  "a message": `fail: { msg: "{{ hidden }}" }`,
  "a command":
    `command: "sh -c 'echo {{ hidden }}; echo {{ hidden }} >&2; exit 3'"`,
  "a program that is not there": `command: "/no/such/{{ hidden }}"`,
  "a bad argument":
    `copy: { content: "{{ hidden }}", dest: /tmp/x, mode: "{{ hidden }}" }`,
  "an unknown argument": `ping: { "{{ hidden }}": 1, other: "{{ hidden }}" }`,
  "a loop":
    `fail: { msg: "{{ item }}" }\n      loop: ["{{ hidden }}", "x{{ hidden }}"]`,
  "a condition": `debug: { msg: x }\n      failed_when: "hidden is defined"`,
  "a failed assertion":
    `assert: { that: "hidden == ''", fail_msg: "{{ hidden }}" }`,
  "a module that breaks": `script: { cmd: "{{ hidden }}" }`,
  "a template that does not resolve":
    `debug: { msg: "{{ (hidden ~ '')[999].nothing.at_all }}" }`,
};

for (const verbosity of [0, 4]) {
  Deno.test({
    ...options,
    name:
      `under no_log nothing is in statuses and logs (verbosity ${verbosity})`,
    async fn(t) {
      const names = Object.keys(FAILURES);
      await using project = await Project.create(Object.fromEntries(
        names.map((name, i) => [
          `f${i}.yml`,
          `
- hosts: all
  gather_facts: false
  vars: { hidden: ${HIDDEN} }
  tasks:
    - name: hides
      ${FAILURES[name]}
      no_log: true
`,
        ]),
      ));
      await using broker = await Broker.start();
      await using client = await Client.connect(broker.port);
      await using worker = await Worker.start({ project, port: broker.port });
      for (const [i, name] of names.entries()) {
        await t.step(name, async () => {
          const final = await client.run({
            task_id: `t-${i}`,
            playbook: `f${i}.yml`,
            inventory: "hosts",
            verbosity,
          });
          assert.equal(final.state, "failed");
          assert.equal(final.tasks_failed, 1);
          assert.match(final.error_message!, /h1: failed at "hides": .*hidden/);
          for (const { topic, text } of client.messages) {
            assert.ok(!text.includes(HIDDEN), `${topic}: ${text}`);
          }
        });
      }
      assert.equal(await worker.stop(), 0);
      await worker.ended();
      assert.ok(!worker.log.includes(HIDDEN));
    },
  });
}

Deno.test({
  ...options,
  name: "files with secrets that others may read are named at the start",
  async fn() {
    await using broker = await Broker.start();
    await using project = await Project.create();
    const key = project.path("id_ed25519");
    const password = project.path("vault-password");
    await Deno.writeTextFile(key, "x", { mode: 0o600 });
    await Deno.writeTextFile(password, "x");
    await Deno.chmod(password, 0o644);
    await using worker = await Worker.start({
      project,
      port: broker.port,
      narrow: true,
      config: {
        ansible: { private_key_file: key, vault_password_file: password },
      },
    });
    const warnings = worker.log.split("\n").filter((line) =>
      line.includes("chmod")
    );
    assert.equal(warnings.length, 1, worker.log);
    assert.ok(
      warnings[0]!.endsWith(
        `other users of this host may read "${password}", which has a secret in it (ansible.vault_password_file); to prevent it: chmod 600 ${password}`,
      ),
      worker.log,
    );
    assert.equal(await worker.stop(), 0);
  },
});

/** Encrypts a file; the password is on disk only while this lasts. */
async function encrypt(project: Project, name: string, text: string) {
  const password = project.path("password");
  await Deno.writeTextFile(password, SECRETS.vault);
  await project.write({ [name]: text });
  const { success, stderr } = await new Deno.Command("ansible-vault", {
    args: [
      "encrypt",
      `--vault-password-file=${password}`,
      `${project.directory}/${name}`,
    ],
  }).output();
  assert.ok(success, new TextDecoder().decode(stderr));
  await Deno.remove(password);
}

async function filesBelow(directory: string): Promise<[string, string][]> {
  const found: [string, string][] = [];
  for await (const { name, isDirectory, isFile } of Deno.readDir(directory)) {
    const path = `${directory}/${name}`;
    if (isDirectory) found.push(...await filesBelow(path));
    else if (isFile) {
      found.push([
        path,
        new TextDecoder().decode(await Deno.readFile(path)),
      ]);
    }
  }
  return found;
}

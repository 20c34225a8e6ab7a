/** The narrowest permissions: enough for everything, and each of them needed. */
import assert from "node:assert/strict";
import { freePort } from "../../dev/programs.ts";
import { Broker } from "../harness/broker.ts";
import { Certificates } from "../harness/certificates.ts";
import { Client } from "../harness/client.ts";
import { Project } from "../harness/project.ts";
import { Scrape } from "../harness/scrape.ts";
import { Signer } from "../harness/signing.ts";
import { Worker, type WorkerOptions } from "../harness/worker.ts";

/** A worker's set-up with everything in it that needs a permission. */
async function everything() {
  const stack = new AsyncDisposableStack();
  const certificates = stack.use(await Certificates.create());
  const broker = stack.use(
    await Broker.start({
      tls: {
        ca: certificates.certificate("ca"),
        cert: certificates.certificate("server"),
        key: certificates.key("server"),
        clientCertificates: true,
      },
    }),
  );
  const project = stack.use(
    await Project.create({
      "secret.yml": `
- hosts: all
  gather_facts: false
  vars:
    secret: "{{ lookup('file', 'secret.txt') }}"
  tasks:
    - assert:
        that:
          - secret == 'opened'
          - lookup('env', 'GREETING') == 'hello'
`,
    }),
  );
  const signer = await Signer.create("controller");
  await Deno.writeTextFile(project.path("controller.pem"), signer.pem);
  await Deno.writeTextFile(project.path("id_ed25519"), "");
  await Deno.writeTextFile(project.path("other-password"), "other");
  await encrypt(project, "secret.txt", "opened");
  await Deno.mkdir(project.path("inventories"));
  await Deno.copyFile(
    `${project.directory}/hosts`,
    project.path("inventories/hosts"),
  );
  await Deno.symlink(project.path("inventories"), project.path("link"));
  const client = stack.use(await Client.connect(broker.port));
  const listen = freePort();
  const options: WorkerOptions = {
    project,
    port: broker.tlsPort,
    mqtt: {
      tls_enabled: true,
      tls_ca_cert: certificates.certificate("ca"),
      tls_client_cert: certificates.certificate("client"),
      tls_client_key: certificates.key("client"),
      username: "worker",
      password: "${MQTT_PASSWORD}",
    },
    worker: { inventory_directory: project.path("link") },
    config: {
      security: {
        trusted_keys: [{ id: "controller", file: "controller.pem" }],
      },
      ansible: {
        vault_password: "${VAULT_PASSWORD}",
        vault_identity_list: ["other@other-password"],
        private_key_file: "id_ed25519",
        environment: { GREETING: "hello" },
      },
      metrics: { listen: `127.0.0.1:${listen}` },
    },
    env: { MQTT_PASSWORD: "of the broker", VAULT_PASSWORD: VAULT_PASSWORD },
    narrow: true,
  };
  return {
    project,
    client,
    signer,
    listen,
    options,
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

const VAULT_PASSWORD = "open sesame";

/** Encrypts a text with the vault password. */
async function encrypt(project: Project, name: string, text: string) {
  const password = project.path("vault-password");
  await Deno.writeTextFile(password, VAULT_PASSWORD);
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

Deno.test({
  name: "under the narrowest permissions everything works",
  sanitizeOps: true,
  sanitizeResources: true,
  async fn() {
    await using all = await everything();
    await using worker = await Worker.start(all.options);
    assert.equal((await Scrape.of(all.listen)).value("healthy"), 1);
    const jws = await all.signer.sign({
      task_id: "t",
      playbook: "secret.yml",
      inventory: "hosts",
    }, { taskId: "t" });
    await all.client.publish("ansible/test/tasks", jws, { qos: 2 });
    const final = await all.client.final("t");
    assert.equal(final.state, "success", final.error_message ?? "");
    assert.ok(!worker.log.includes("allows more than is needed"));
    assert.equal(await worker.stop(), 0);
  },
});

Deno.test({
  name: "each permission that is taken away is named, with what it is for",
  sanitizeOps: true,
  sanitizeResources: true,
  async fn(t) {
    await using all = await everything();
    const flags: { flag: string; value: string }[] = [];
    await using first = await Worker.spawn({
      ...all.options,
      arguments: (args) => {
        for (const argument of args) {
          const [, flag, values] = /^(--allow-\w+)=(.*)$/.exec(argument) ?? [];
          for (const value of values?.split(",") ?? []) {
            flags.push({ flag: flag!, value });
          }
        }
        return ["--version"];
      },
    });
    await first.ended();
    assert.ok(flags.length > 15, "there are some to take away");
    for (const { flag, value } of flags) {
      await t.step(`${flag}=${value.replace(/^.*\//, "…/")}`, async () => {
        await using worker = await Worker.spawn({
          ...all.options,
          arguments: (args) =>
            args.flatMap((argument) => {
              if (!argument.startsWith(`${flag}=`)) return [argument];
              const values = argument.slice(flag.length + 1).split(",")
                .filter((other) => other !== value);
              // Without a value the flag would allow everything.
              return values.length === 0 ? [] : [`${flag}=${values}`];
            }),
        });
        // A program that may not run looks like one that is missing, and that
        // may be put right while the worker is started again.
        const code = flag === "--allow-run" ? 1 : 78;
        assert.equal((await worker.exited).code, code);
        await worker.ended();
        assert.ok(
          worker.log.includes(
            `start the worker with ${flag}=${
              flag === "--allow-run" ? "ansible-playbook" : value
            }`,
          ),
          worker.log,
        );
        assert.match(worker.log, /sandbox/);
      });
    }
  },
});

Deno.test({
  name: "permissions that are not needed are told at the start",
  sanitizeOps: true,
  sanitizeResources: true,
  async fn() {
    await using broker = await Broker.start();
    await using project = await Project.create();
    await using worker = await Worker.start({ project, port: broker.port });
    assert.match(
      worker.log,
      /allows more than is needed; "ansible-worker permissions -c .*" prints what is"? ?not_needed="--allow-net --allow-read"/,
    );
  },
});

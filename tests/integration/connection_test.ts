import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { generate, parser } from "mqtt-packet";
import type { Packet } from "mqtt-packet";
import { freePort } from "../../dev/programs.ts";
import { Broker } from "../harness/broker.ts";
import { Certificates } from "../harness/certificates.ts";
import { Client } from "../harness/client.ts";
import { Project } from "../harness/project.ts";
import { within } from "../harness/waiting.ts";
import { Worker } from "../harness/worker.ts";

Deno.test({
  name: "MQTT over WebSocket",
  sanitizeOps: true,
  sanitizeResources: true,
  async fn() {
    await using broker = await Broker.start({ websockets: true });
    await using project = await Project.create();
    await using client = await Client.connect(broker.port);
    await using worker = await Worker.start({
      project,
      port: broker.websocketPort,
      mqtt: { websocket_path: "/mqtt" },
    });
    assert.equal((await client.run(project.work("ws"))).state, "success");
    assert.equal(await worker.stop(), 0);
  },
});

Deno.test({
  name: "MQTT over WebSocket with TLS, with a CA and a client certificate",
  sanitizeOps: true,
  sanitizeResources: true,
  async fn() {
    await using files = await Certificates.create();
    const port = freePort();
    await using broker = await Broker.start({
      extra: [
        `listener ${port} 127.0.0.1`,
        "protocol websockets",
        `cafile ${files.certificate("ca")}`,
        `certfile ${files.certificate("server")}`,
        `keyfile ${files.key("server")}`,
        "require_certificate true",
      ],
    });
    await using project = await Project.create();
    await using client = await Client.connect(broker.port);
    await using worker = await Worker.start({
      project,
      port,
      mqtt: {
        websocket_path: "/mqtt",
        tls_enabled: true,
        tls_ca_cert: files.certificate("ca"),
        tls_client_cert: files.certificate("client"),
        tls_client_key: files.key("client"),
      },
    });
    assert.equal((await client.run(project.work("wss"))).state, "success");
    assert.equal(await worker.stop(), 0);
  },
});

Deno.test({
  name: "a password opens the broker, and is in no line of the log",
  sanitizeOps: true,
  sanitizeResources: true,
  async fn(t) {
    await using project = await Project.create({
      "env.yml": `
- hosts: all
  gather_facts: false
  tasks:
    - copy:
        content: "{{ lookup('pipe', 'env') }}"
        dest: "{{ playbook_dir }}/env.txt"
`,
    });
    const passwords = project.path("passwords");
    await Deno.writeTextFile(passwords, "worker:pass-word-1\n");
    await new Deno.Command("mosquitto_passwd", { args: ["-U", passwords] })
      .output();
    await using broker = await Broker.start({
      extra: ["allow_anonymous false", `password_file ${passwords}`],
    });
    const mqtt = { username: "worker", password: "${MQTT_PASSWORD}" };
    await using client = await Client.connect(broker.port, {
      mqtt: { username: "worker", password: "pass-word-1" },
    });
    await t.step("the right one", async () => {
      await using worker = await Worker.start({
        project,
        port: broker.port,
        mqtt,
        env: { MQTT_PASSWORD: "pass-word-1" },
      });
      const final = await client.run({
        task_id: "env",
        playbook: "env.yml",
        inventory: "hosts",
      });
      assert.equal(final.state, "success");
      const environment = await Deno.readTextFile(
        `${project.directory}/env.txt`,
      );
      assert.ok(!environment.includes("pass-word-1"), "no run sees it");
      assert.ok(!/MQTT_|ANSIBLE_WORKER|PYTHONPATH/.test(environment));
      assert.equal(await worker.stop(), 0);
      await worker.ended();
      assert.ok(!worker.log.includes("pass-word-1"));
    });
    await t.step("a wrong one", async () => {
      await using worker = await Worker.spawn({
        project,
        port: broker.port,
        mqtt,
        env: { MQTT_PASSWORD: "wrong-word-2" },
      });
      await worker.logged("not authorized");
      assert.equal(await worker.stop(), 0);
      await worker.ended();
      assert.ok(!worker.log.includes("wrong-word-2"));
    });
  },
});

Deno.test({
  name: "the worker says so when the sandbox denies it the broker",
  sanitizeOps: true,
  sanitizeResources: true,
  async fn() {
    await using broker = await Broker.start();
    await using project = await Project.create();
    await using worker = await Worker.spawn({
      project,
      port: broker.port,
      arguments: (args) =>
        args.map((one) =>
          one === "--allow-net" ? "--allow-net=127.0.0.1:1" : one
        ),
    });
    const { code } = await within("its end", worker.exited);
    assert.equal(code, 78);
    await worker.logged(`--allow-net=127.0.0.1:${broker.port}`);
  },
});

// No broker of the distributions lacks these, so these two are fakes: they
// answer CONNECT, and nothing else.
for (
  const [name, connack, reason] of [
    [
      "MQTT 5",
      Buffer.from([0x20, 0x02, 0x00, 0x01]),
      "does not speak MQTT 5",
    ],
    [
      "shared subscriptions",
      generate({
        cmd: "connack",
        sessionPresent: false,
        reasonCode: 0,
        properties: { sharedSubscriptionAvailable: false },
      } as Packet, { protocolVersion: 5 }),
      "offers no shared subscriptions",
    ],
  ] as const
) {
  Deno.test({
    name:
      `with a broker that has no ${name} the worker does not start, and says so`,
    sanitizeOps: true,
    sanitizeResources: true,
    async fn() {
      const server = createServer((socket) => {
        const packets = parser({ protocolVersion: 5 });
        packets.on("packet", (packet: Packet) => {
          if (packet.cmd === "connect") socket.write(connack);
        });
        socket.on("data", (data: Buffer) => packets.parse(data));
        socket.on("error", () => {});
      });
      await new Promise<void>((resolve) =>
        server.listen(0, "127.0.0.1", resolve)
      );
      try {
        await using project = await Project.create();
        await using worker = await Worker.spawn({
          project,
          port: (server.address() as AddressInfo).port,
        });
        const { code } = await within("its end", worker.exited);
        assert.equal(code, 1, worker.log);
        await worker.logged(reason);
      } finally {
        await new Promise((resolve) => server.close(resolve));
      }
    },
  });
}

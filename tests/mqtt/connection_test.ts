/**
 * What the worker relies on in the library and the broker: a release of either
 * that changes it fails here first.
 */
import type { Delivery } from "../../src/messages/packets.ts";
import assert from "node:assert/strict";
import { MqttConnection, Visit } from "../../src/mqtt/mod.ts";
import { Broker } from "../harness/broker.ts";
import { open } from "../harness/client.ts";
import { until, within } from "../harness/waiting.ts";

const options = { sanitizeOps: true, sanitizeResources: true };

const reach = (port: number, keepalive = 60) => ({
  host: "127.0.0.1",
  port,
  keepalive,
  reconnectMin: 0.1,
  reconnectMax: 0.2,
});

async function intake(port: number, keepalive?: number) {
  const deliveries: Delivery[] = [];
  let lost = 0;
  const connection: MqttConnection = new MqttConnection({
    broker: reach(port, keepalive),
    clientId: "intake",
    sessionExpiry: 60,
    receiveMaximum: 100,
    onConnect: () => connection.subscribe("$share/g/tasks", { qos: 2 }),
    onDelivery: (delivery) => deliveries.push(delivery),
    onLost: () => lost++,
  });
  await connection.connect();
  return { connection, deliveries, lost: () => lost };
}

async function publish(port: number, ...payloads: string[]): Promise<void> {
  const client = await open(port);
  for (const payload of payloads) {
    await client.publishAsync("tasks", payload, { qos: 2 });
  }
  await client.endAsync(true);
}

const texts = (deliveries: Delivery[]) =>
  deliveries.map(({ payload }) => new TextDecoder().decode(payload));

Deno.test({
  ...options,
  name: "a held delivery stays the broker's, and the connection stays alive",
  async fn() {
    await using broker = await Broker.start();
    const { connection, deliveries, lost } = await intake(broker.port, 5);
    await publish(broker.port, "a", "b", "c");
    await until(5, "the deliveries", () => deliveries.length === 3);
    // Longer than one and a half keepalives: pings go on.
    await new Promise((resolve) => setTimeout(resolve, 9000));
    assert.equal(lost(), 0);
    // In any order.
    await within(5, "PUBREL", deliveries[1]!.release());
    assert.equal(connection.held, 2);
    await connection[Symbol.asyncDispose]();

    const again = await intake(broker.port);
    await until(5, "the redelivery", () => again.deliveries.length === 2);
    assert.deepEqual(texts(again.deliveries), ["a", "c"]);
    assert.ok(again.deliveries.every(({ redelivered }) => redelivered));
    await Promise.all(again.deliveries.map((one) => one.release()));
    assert.equal(again.connection.held, 0);
    await again.connection[Symbol.asyncDispose]();
  },
});

Deno.test({
  ...options,
  name:
    "after a reconnect a held delivery is the same one, and can be released",
  async fn() {
    await using broker = await Broker.start({ persistence: true });
    const { connection, deliveries, lost } = await intake(broker.port);
    await publish(broker.port, "a", "b");
    await until(5, "the deliveries", () => deliveries.length === 2);
    await broker.stop();
    // Asked for while there is no connection.
    const released = deliveries[0]!.release();
    await broker.start();
    await within(10, "PUBREL", released);
    assert.ok(lost() > 0);
    assert.equal(deliveries.length, 2, "nothing was delivered twice");
    await within(5, "PUBREL", deliveries[1]!.release());
    await connection[Symbol.asyncDispose]();
  },
});

Deno.test({
  ...options,
  name: "when the broker has lost the session, what is held counts as released",
  async fn() {
    await using broker = await Broker.start();
    const { connection, deliveries } = await intake(broker.port);
    await publish(broker.port, "a");
    await until(5, "the delivery", () => deliveries.length === 1);
    const released = deliveries[0]!.release;
    await broker.kill();
    await broker.start();
    await within(10, "the end of waiting", released.call(deliveries[0]!));
    await connection[Symbol.asyncDispose]();
  },
});

Deno.test({
  ...options,
  name: "a look-up knows that there is no retained message, each time",
  async fn() {
    await using broker = await Broker.start();
    const writer = await open(broker.port);
    await writer.publishAsync("there", "yes", { qos: 1, retain: true });
    const visit = await Visit.open(reach(broker.port), {
      clientId: "visit",
      sessionExpiry: 0,
    });
    for (let i = 0; i < 100; i++) {
      assert.equal(await visit.lookUp("nowhere"), null);
      const found = await visit.lookUp("there");
      assert.equal(new TextDecoder().decode(found!.payload), "yes");
    }
    await visit[Symbol.asyncDispose]();
    await writer.endAsync(true);
  },
});

Deno.test({
  ...options,
  name: "a connection that is not to be tried again says why it failed",
  async fn() {
    await using broker = await Broker.start();
    await broker.stop();
    await assert.rejects(
      Visit.open(reach(broker.port), { clientId: "x", sessionExpiry: 0 }),
      /ECONNREFUSED|refused/,
    );
  },
});

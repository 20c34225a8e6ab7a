/**
 * What the worker relies on in the library and the broker: a release of either
 * that changes it fails here first. The simulated broker passes the same tests as
 * mosquitto does, so that what is simulated is known to be MQTT.
 */
import assert from "node:assert/strict";
import {
  ConnectionLostError,
  type Delivery,
} from "../../src/messages/packets.ts";
import { MqttConnection, Visit } from "../../src/mqtt/mod.ts";
import { Broker } from "../harness/broker.ts";
import { open } from "../harness/client.ts";
import { pause, until } from "../harness/waiting.ts";
import { ListeningBroker } from "../simulation/listener.ts";

const BROKERS = { mosquitto: Broker, "the simulated broker": ListeningBroker };

/** A test of each broker. */
function test(
  name: string,
  fn: (Broker: typeof BROKERS[keyof typeof BROKERS]) => Promise<void>,
): void {
  for (const [broker, Broker] of Object.entries(BROKERS)) {
    Deno.test({
      name: `${broker}: ${name}`,
      sanitizeOps: true,
      sanitizeResources: true,
      fn: () => fn(Broker),
    });
  }
}

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

async function publish(
  port: number,
  qos: 0 | 1 | 2,
  ...payloads: string[]
): Promise<void> {
  const client = await open(port);
  for (const payload of payloads) {
    await client.publishAsync("tasks", payload, { qos });
  }
  await client.endAsync();
}

const texts = (deliveries: Delivery[]) =>
  deliveries.map(({ payload }) => new TextDecoder().decode(payload));

for (const qos of [1, 2] as const) {
  test(`an unanswered delivery of QoS ${qos} stays the broker's, those behind it wait for it, and the connection stays alive`, async (Broker) => {
    await using broker = await Broker.start();
    const { connection, deliveries, lost } = await intake(broker.port, 5);
    await publish(broker.port, qos, "a", "b", "c");
    await until("the deliveries", () => deliveries.length === 3);
    assert.deepEqual(texts(deliveries), ["a", "b", "c"]);
    deliveries[1]!.answer();
    // Longer than one and a half keepalives: pings go on.
    await pause(9);
    assert.equal(lost(), 0);
    assert.equal(connection.unanswered, 3, "b waits for a");
    deliveries[0]!.answer();
    assert.equal(connection.unanswered, 1, "both are answered");
    deliveries[0]!.answer();
    assert.equal(connection.unanswered, 1, "twice is once");
    await connection[Symbol.asyncDispose]();

    // What comes behind it shows that there is no more of the old.
    const again = await intake(broker.port);
    await publish(broker.port, qos, "d");
    await until("the new one", () => texts(again.deliveries).includes("d"));
    assert.deepEqual(texts(again.deliveries), ["c", "d"]);
    assert.deepEqual(
      again.deliveries.map(({ redelivered }) => redelivered),
      [true, false],
    );
    for (const delivery of again.deliveries) delivery.answer();
    assert.equal(again.connection.unanswered, 0);
    await again.connection[Symbol.asyncDispose]();

    const last = await intake(broker.port);
    await publish(broker.port, qos, "e");
    await until("the new one", () => texts(last.deliveries).includes("e"));
    assert.deepEqual(texts(last.deliveries), ["e"], "nothing was left");
    await last.connection[Symbol.asyncDispose]();
  });

  test(`after a reconnect an unanswered delivery of QoS ${qos} is the same one, and is answered on the new connection`, async (Broker) => {
    await using broker = await Broker.start({ persistence: true });
    const { connection, deliveries, lost } = await intake(broker.port);
    await publish(broker.port, qos, "a", "b");
    await until("the deliveries", () => deliveries.length === 2);
    await broker.stop();
    await until("the loss", () => lost() > 0);
    // One behind another that is not ready, while there is no connection.
    deliveries[1]!.answer();
    await broker.start();
    // Nobody can know whether the answer got away: it comes again.
    await until("the redelivery", () => deliveries.length === 3);
    assert.ok(deliveries[2]!.redelivered);
    deliveries[2]!.answer();
    assert.equal(connection.unanswered, 2, "b waits for a");
    deliveries[0]!.answer();
    assert.equal(connection.unanswered, 0);
    assert.deepEqual(texts(deliveries), ["a", "b", "b"]);
    await connection[Symbol.asyncDispose]();
  });
}

test("a delivery of QoS 0 comes like any other, and is nobody's", async (Broker) => {
  await using broker = await Broker.start();
  const { connection, deliveries } = await intake(broker.port);
  await publish(broker.port, 0, "a");
  await until("the delivery", () => deliveries.length === 1);
  assert.deepEqual(texts(deliveries), ["a"]);
  assert.equal(connection.unanswered, 0);
  deliveries[0]!.answer();
  await publish(broker.port, 2, "b");
  await until("the next", () => deliveries.length === 2);
  assert.equal(connection.unanswered, 1);
  deliveries[1]!.answer();
  assert.equal(connection.unanswered, 0);
  await connection[Symbol.asyncDispose]();
});

test("when the broker has lost the session, nothing of it is unanswered", async (Broker) => {
  await using broker = await Broker.start();
  const { connection, deliveries, lost } = await intake(broker.port);
  await publish(broker.port, 2, "a");
  await until("the delivery", () => deliveries.length === 1);
  assert.equal(connection.unanswered, 1);
  await broker.kill();
  await until("the loss", () => lost() > 0);
  await broker.start();
  await until("the connection", () => connection.ready);
  assert.equal(connection.unanswered, 0);
  // Its owner does not know; what it says reaches nobody else's message.
  deliveries[0]!.answer();
  await publish(broker.port, 2, "b");
  await until("the next", () => deliveries.length === 2);
  assert.equal(connection.unanswered, 1);
  await connection[Symbol.asyncDispose]();
});

test("a look-up knows that there is no retained message, each time", async (Broker) => {
  await using broker = await Broker.start();
  const writer = await open(broker.port);
  await writer.publishAsync("there", "yes", { qos: 1, retain: true });
  const visit = await Visit.open(reach(broker.port), {
    clientId: "visit",
    sessionExpiry: 0,
  });
  const sentinel = "sentinel";
  for (let i = 0; i < 100; i++) {
    assert.equal(await visit.lookUp("nowhere", { sentinel }), null);
    const found = await visit.lookUp("there", { sentinel });
    assert.equal(new TextDecoder().decode(found!.payload), "yes");
  }
  await visit[Symbol.asyncDispose]();
  await writer.endAsync(true);
});

test("a connection that is not to be tried again says why it failed", async (Broker) => {
  await using broker = await Broker.start();
  await broker.stop();
  await assert.rejects(
    Visit.open(reach(broker.port), { clientId: "x", sessionExpiry: 0 }),
    /ECONNREFUSED|refused/,
  );
});

test("what is asked of a connection that was ended is not to be tried again", async (Broker) => {
  await using broker = await Broker.start();
  const { connection } = await intake(broker.port);
  await connection[Symbol.asyncDispose]();
  await assert.rejects(
    connection.subscribe("tasks", { qos: 1 }),
    (error) => !(error instanceof ConnectionLostError),
  );
});

import assert from "node:assert/strict";
import type { Outgoing } from "../../src/mqtt/message.ts";
import { Outbox } from "../../src/mqtt/outbox.ts";

function recorder() {
  const sent: { message: Outgoing; ack(): void; refuse(e: Error): void }[] = [];
  const outbox = new Outbox((message) =>
    new Promise((resolve, reject) =>
      sent.push({ message, ack: resolve, refuse: reject })
    )
  );
  return { sent, outbox };
}

const message = (topic: string, payload: string, replaceable = false) =>
  ({ topic, payload, qos: 1, retain: true, replaceable }) as const;

const payloads = (sent: { message: Outgoing }[]) =>
  sent.map(({ message }) => message.payload);

const settle = () => new Promise((resolve) => setTimeout(resolve, 0));

Deno.test("outbox: one retained message of a topic is under way, the next waits for it", async () => {
  const { outbox, sent } = recorder();
  outbox.open(10);
  outbox.put(message("a", "1"));
  outbox.put(message("a", "2"));
  outbox.put(message("b", "3"));
  assert.deepEqual(payloads(sent), ["1", "3"]);
  sent[0]!.ack();
  await settle();
  assert.deepEqual(payloads(sent), ["1", "3", "2"]);
});

Deno.test("outbox: what is not retained does not wait for what went before", async () => {
  const { outbox, sent } = recorder();
  outbox.open(2);
  for (const payload of ["1", "2", "3"]) {
    outbox.put({ topic: "a", payload, qos: 1 });
  }
  assert.deepEqual(payloads(sent), ["1", "2"]);
  assert.equal(outbox.size, 3);
  sent[0]!.ack();
  await settle();
  assert.deepEqual(payloads(sent), ["1", "2", "3"]);
  const idle = outbox.idle();
  sent.slice(1).forEach(({ ack }) => ack());
  await idle;
  assert.equal(outbox.size, 0);
});

Deno.test("outbox: a waiting update is replaced, a final one is not", async () => {
  const { outbox, sent } = recorder();
  const first = outbox.put(message("a", "1", true));
  const second = outbox.put(message("a", "2", true));
  const last = outbox.put(message("a", "end"));
  outbox.put(message("a", "after"));
  outbox.open(10);
  assert.deepEqual(payloads(sent), ["end"]);
  sent[0]!.ack();
  await Promise.all([first, second, last]);
  assert.deepEqual(payloads(sent), ["end", "after"]);
});

Deno.test("outbox: no more are under way than the window allows, none while closed", async () => {
  const { outbox, sent } = recorder();
  for (let i = 0; i < 5; i++) outbox.put(message(`t${i}`, String(i)));
  assert.equal(sent.length, 0);
  outbox.open(2);
  assert.equal(sent.length, 2);
  outbox.close();
  sent[0]!.ack();
  await settle();
  assert.equal(sent.length, 2);
  outbox.open(2);
  assert.equal(sent.length, 3);
});

Deno.test("outbox: a refused message rejects, and the next one goes", async () => {
  const { outbox, sent } = recorder();
  outbox.open(1);
  const refused = outbox.put(message("a", "1"));
  outbox.put(message("a", "2"));
  sent[0]!.refuse(new Error("no"));
  await assert.rejects(refused, /no/);
  await settle();
  assert.deepEqual(payloads(sent), ["1", "2"]);
  const idle = outbox.idle();
  sent[1]!.ack();
  await idle;
});

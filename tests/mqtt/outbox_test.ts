import type { Outgoing } from "../../src/messages/packets.ts";
import assert from "node:assert/strict";
import { type BulkSource, Outbox } from "../../src/mqtt/outbox.ts";

function recorder(source: BulkSource | null = null) {
  const sent: { message: Outgoing; ack(): void; refuse(e: Error): void }[] = [];
  const outbox = new Outbox(
    (message) =>
      new Promise((resolve, reject) =>
        sent.push({ message, ack: resolve, refuse: reject })
      ),
    source,
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

Deno.test("outbox: lanes of one topic neither wait for nor replace each other", async () => {
  const { outbox, sent } = recorder();
  const put = (lane: string, payload: string) =>
    outbox.put({ ...message("a", payload, true), lane });
  outbox.open(2);
  const all = [put("x", "x1"), put("y", "y1")];
  all.push(put("x", "x2"), put("y", "y2"), put("x", "x3"));
  assert.deepEqual(payloads(sent), ["x1", "y1"]);
  sent[0]!.ack();
  sent[1]!.ack();
  await settle();
  assert.deepEqual(payloads(sent), ["x1", "y1", "x3", "y2"]);
  sent[2]!.ack();
  sent[3]!.ack();
  await Promise.all([...all, outbox.idle()]);
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

/** A source of messages of a size, all on one topic. */
function endless(size: number) {
  const answers: unknown[] = [];
  let taken = 0;
  const source: BulkSource = {
    take: () => ({
      message: message("bulk", `b${++taken}`.padEnd(size)),
      answered: (error) => void answers.push(error),
    }),
  };
  return { source, answers };
}

const names = (sent: { message: Outgoing }[]) =>
  sent.map(({ message }) => String(message.payload).trim());

Deno.test("outbox: what gives way takes half of the window, several of a topic at once", async () => {
  const { source, answers } = endless(10);
  const { outbox, sent } = recorder(source);
  outbox.open(6);
  assert.deepEqual(names(sent), ["b1", "b2", "b3"]);
  for (const name of ["x", "y", "z", "late"]) outbox.put(message(name, name));
  assert.deepEqual(names(sent).slice(3), ["x", "y", "z"]);
  sent[0]!.ack();
  await settle();
  assert.deepEqual(names(sent).slice(6), ["late"], "the others go first");
  const refusal = new Error("no");
  sent[1]!.refuse(refusal);
  await settle();
  assert.deepEqual(names(sent).slice(7), ["b4"]);
  assert.deepEqual(answers, [undefined, refusal]);
});

Deno.test("outbox: what gives way leaves the connection's buffers alone", async () => {
  const { outbox, sent } = recorder(endless(100 * 1024).source);
  outbox.open(100);
  assert.equal(sent.length, 3);
  sent[0]!.ack();
  await settle();
  assert.equal(sent.length, 4);
});

Deno.test("outbox: it is idle when all that was put is answered, whatever gives way", async () => {
  const { outbox, sent } = recorder(endless(10).source);
  outbox.open(2);
  outbox.put(message("a", "1"));
  const idle = outbox.idle();
  sent[1]!.ack();
  await idle;
});

Deno.test("outbox: with a window of one, what gives way gets its turn too", async () => {
  const { outbox, sent } = recorder(endless(10).source);
  outbox.put(message("a", "1"));
  outbox.open(1);
  assert.deepEqual(names(sent), ["1"]);
  sent[0]!.ack();
  await settle();
  assert.deepEqual(names(sent), ["1", "b1"]);
});

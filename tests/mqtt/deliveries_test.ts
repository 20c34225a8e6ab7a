/** What is answered, and when, whatever the broker sends again. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import type { IPublishPacket } from "mqtt-packet";
import type { Delivery } from "../../src/messages/packets.ts";
import { Deliveries } from "../../src/mqtt/deliveries.ts";

type Sent = Partial<IPublishPacket> & { text?: string };

function setUp() {
  const answers: string[] = [];
  const deliveries = new Deliveries((qos, id) => answers.push(`${qos}:${id}`));
  const receive = (
    messageId: number | undefined,
    { text = String(messageId), ...more }: Sent = {},
  ): Delivery | null =>
    deliveries.receive({
      cmd: "publish",
      topic: "tasks",
      qos: 2,
      dup: false,
      retain: false,
      payload: Buffer.from(text),
      ...(messageId !== undefined && { messageId }),
      ...more,
    });
  const reconnect = (session: { present: boolean }) => {
    deliveries.disconnected();
    deliveries.connected(session);
  };
  return { answers, deliveries, receive, reconnect };
}

Deno.test("deliveries: answers go out in the order in which the messages came", () => {
  const { answers, deliveries, receive } = setUp();
  const [a, b, c] = [
    receive(1)!,
    receive(2, { qos: 1 })!,
    receive(3)!,
  ];
  c.answer();
  b.answer();
  assert.deepEqual(answers, []);
  assert.equal(deliveries.size, 3);
  a.answer();
  assert.deepEqual(answers, ["2:1", "1:2", "2:3"]);
  assert.equal(deliveries.size, 0);
});

Deno.test("deliveries: what is answered twice is answered once", () => {
  const { answers, receive } = setUp();
  const a = receive(1)!;
  a.answer();
  a.answer();
  // The identifier is free again, and stands for another message.
  receive(1, { text: "another" });
  a.answer();
  assert.deepEqual(answers, ["2:1"]);
});

Deno.test("deliveries: one of QoS 0 is nobody's, and holds nobody up", () => {
  const { answers, deliveries, receive } = setUp();
  const none = receive(undefined, { qos: 0, text: "x" })!;
  assert.equal(deliveries.size, 0);
  receive(1)!.answer();
  none.answer();
  assert.deepEqual(answers, ["2:1"]);
});

Deno.test("deliveries: what comes again after a reconnect is the same, in the broker's new order", () => {
  const { answers, deliveries, receive, reconnect } = setUp();
  const [a, b] = [receive(1)!, receive(2)!];
  assert.ok(!a.redelivered);
  reconnect({ present: true });
  assert.equal(receive(2, { dup: true }), null);
  assert.equal(receive(1, { dup: true }), null);
  assert.ok(a.redelivered && b.redelivered, "others may have had it");
  a.answer();
  assert.deepEqual(answers, []);
  b.answer();
  assert.deepEqual(answers, ["2:2", "2:1"]);
  assert.equal(deliveries.size, 0);
});

Deno.test("deliveries: what became ready while there was no connection is answered when it comes again", () => {
  const { answers, deliveries, receive } = setUp();
  const [a, b] = [receive(1)!, receive(2)!];
  deliveries.disconnected();
  a.answer();
  assert.deepEqual(answers, [], "to whom?");
  deliveries.connected({ present: true });
  // Its owner is through with it, so that whoever gets it now looks at it again.
  const again = receive(1, { dup: true })!;
  assert.ok(again.redelivered);
  assert.equal(receive(2, { dup: true }), null);
  b.answer();
  assert.deepEqual(answers, []);
  again.answer();
  assert.deepEqual(answers, ["2:1", "2:2"]);
  assert.equal(deliveries.size, 0);
});

Deno.test("deliveries: what was ready, and waited behind another, is not answered before it comes again", () => {
  const { answers, receive, reconnect } = setUp();
  const [a, b] = [receive(1)!, receive(2)!];
  b.answer();
  reconnect({ present: true });
  a.answer();
  assert.deepEqual(answers, []);
});

Deno.test("deliveries: what does not come again holds up nobody", () => {
  const { answers, receive, reconnect } = setUp();
  const a = receive(1)!;
  reconnect({ present: true });
  receive(2)!.answer();
  assert.deepEqual(answers, ["2:2"]);
  a.answer();
  assert.deepEqual(answers, ["2:2"], "the broker has not asked for it");
});

Deno.test("deliveries: with the session everything of it is gone, and its identifiers stand for others", () => {
  const { answers, deliveries, receive, reconnect } = setUp();
  const a = receive(1)!;
  reconnect({ present: false });
  assert.equal(deliveries.size, 0);
  const other = receive(1, { text: "other" })!;
  a.answer();
  assert.deepEqual(answers, []);
  other.answer();
  assert.deepEqual(answers, ["2:1"]);
});

for (
  const [what, sent] of [
    ["another text", { text: "other" }],
    ["another topic", { topic: "elsewhere" }],
    ["no DUP", { dup: false }],
  ] as const
) {
  Deno.test(`deliveries: a known identifier with ${what} is another message`, () => {
    const { answers, deliveries, receive, reconnect } = setUp();
    const a = receive(1)!;
    reconnect({ present: true });
    const other = receive(1, { dup: true, ...sent });
    assert.notEqual(other, null);
    assert.notEqual(other, a);
    a.answer();
    assert.deepEqual(answers, [], "of a message that is no more");
    other!.answer();
    assert.deepEqual(answers, ["2:1"]);
    assert.equal(deliveries.size, 0);
  });
}

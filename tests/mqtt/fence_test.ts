import assert from "node:assert/strict";
import {
  ConnectionLostError,
  type Incoming,
  type Outgoing,
} from "../../src/messages/packets.ts";
import { Fence } from "../../src/mqtt/fence.ts";

const SENTINEL = "own/sentinel";

function setUp() {
  const published: Outgoing[] = [];
  let asked = 0;
  let awaited = 0;
  const refuse = { current: false };
  const fence = new Fence({
    sentinel: SENTINEL,
    subscribe: (topic) => {
      assert.equal(topic, SENTINEL);
      asked++;
      return refuse.current
        ? Promise.reject(new ConnectionLostError("gone"))
        : Promise.resolve();
    },
    publish: (message) => {
      published.push(message);
      return Promise.resolve();
    },
    awaiting: (message) => {
      awaited++;
      return message.finally(() => awaited--);
    },
  });
  const message = (more: Partial<Incoming> = {}): Incoming => ({
    topic: SENTINEL,
    payload: new TextEncoder().encode("-"),
    retained: true,
    properties: {},
    ...more,
  });
  return {
    asked: () => asked,
    awaited: () => awaited,
    fence,
    message,
    published,
    refuse,
  };
}

/** Lets everything happen that is to happen by itself. */
const settle = () => new Promise((resolve) => setTimeout(resolve));

/** Whether a promise is fulfilled by now. */
async function isOver(promise: Promise<unknown>): Promise<boolean> {
  let over = false;
  promise.then(() => over = true, () => {});
  await settle();
  return over;
}

Deno.test("fence: it opens with the sentinel's message, not with the answer to its subscription", async () => {
  const { asked, fence, message } = setUp();
  const passed = fence.pass();
  assert.ok(!await isOver(passed));
  assert.equal(asked(), 1);
  assert.ok(!fence.receive(message({ topic: "another" })));
  assert.ok(!await isOver(passed));
  assert.ok(fence.receive(message()));
  await passed;
});

Deno.test("fence: what was published just now is not what was asked for", async () => {
  const { fence, message } = setUp();
  const passed = fence.pass();
  await settle();
  assert.ok(fence.receive(message({ retained: false })));
  assert.ok(!await isOver(passed));
  fence.receive(message());
  await passed;
});

Deno.test("fence: those who come while one is on its way share the next", async () => {
  const { asked, fence, message } = setUp();
  const first = fence.pass();
  const later = [fence.pass(), fence.pass(), fence.pass()];
  await settle();
  assert.equal(asked(), 1);
  fence.receive(message());
  await first;
  assert.ok(!await isOver(Promise.any(later)), "they asked after it had begun");
  assert.equal(asked(), 2);
  fence.receive(message());
  await Promise.all(later);
  assert.equal(asked(), 2);
});

Deno.test("fence: a message is awaited until it has come, or cannot come any more", async () => {
  const { awaited, fence, message, refuse } = setUp();
  const passed = fence.pass();
  await settle();
  assert.equal(awaited(), 1);
  fence.receive(message());
  await passed;
  assert.equal(awaited(), 0);
  refuse.current = true;
  await assert.rejects(fence.pass(), ConnectionLostError);
  await settle();
  assert.equal(awaited(), 0);
});

Deno.test("fence: with the connection all that wait are lost, and the next one begins anew", async () => {
  const { asked, fence, message } = setUp();
  const first = fence.pass();
  const second = fence.pass();
  await settle();
  const lost = new ConnectionLostError("gone");
  fence.lost(lost);
  await assert.rejects(first, ConnectionLostError);
  await settle();
  fence.lost(lost);
  await assert.rejects(second, ConnectionLostError);
  const third = fence.pass();
  await settle();
  assert.equal(asked(), 3);
  fence.receive(message());
  await third;
});

Deno.test("fence: a sentinel that somebody clears is there again for those who wait, and those to come", async () => {
  const { asked, fence, message, published } = setUp();
  await fence.prepare();
  assert.deepEqual(published.splice(0), [
    { topic: SENTINEL, payload: "-", qos: 1, retain: true },
  ]);
  const passed = fence.pass();
  await settle();
  const cleared = { payload: new Uint8Array(), retained: false };
  assert.ok(fence.receive(message(cleared)));
  await settle();
  assert.equal(published.splice(0).length, 1);
  assert.equal(asked(), 2, "what the first has brought is nothing");
  fence.receive(message());
  await passed;
  fence.receive(message(cleared));
  await settle();
  assert.equal(published.length, 1);
  assert.equal(asked(), 2, "nobody waits");
});

Deno.test("fence: the patience with a broker that is late grows, and has an end", async () => {
  const { fence, message } = setUp();
  assert.equal(fence.patienceMs, 0);
  fence.wasLate(0);
  assert.equal(fence.patienceMs, 0, "nothing was");
  const patience = [1, 100, 10, 1000, 100_000].map((ms) => {
    fence.wasLate(ms);
    return fence.patienceMs;
  });
  assert.deepEqual(patience, [100, 300, 465, 2197.5, 5000]);
  fence.patienceMs = 50;
  const since = performance.now();
  const passed = fence.pass();
  await settle();
  fence.receive(message());
  await passed;
  assert.ok(performance.now() - since >= 49);
});

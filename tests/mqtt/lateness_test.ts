import assert from "node:assert/strict";
import type { Incoming } from "../../src/messages/packets.ts";
import { Lateness } from "../../src/mqtt/lateness.ts";
import { TIMING } from "../../src/worker/timing.ts";

/**
 * A broker that has sent what was asked for when a fence is passed, but for
 * every so many-th message, which comes so much later. What is published it may
 * acknowledge, and retain and pass on some time later.
 */
function setUp(
  late: { every: number; byMs: number } | null,
  { passesOnAfterMs = 0 } = {},
) {
  const store = new Map<string, string>();
  const subscribed = new Set<string>();
  let sent = 0;
  let fenceAt: number | null = null;
  let longest = 0;
  /** It asks for something else: what it has waited for is over. */
  const goesOn = () => {
    if (fenceAt === null) return;
    longest = Math.max(longest, performance.now() - fenceAt);
    fenceAt = null;
  };
  const due: Promise<void>[] = [];
  const later = (what: () => void, ms: number) => {
    const { promise, resolve } = Promise.withResolvers<void>();
    due.push(promise);
    setTimeout(() => {
      what();
      resolve();
    }, ms);
  };
  const send = (topic: string) => {
    const message: Incoming = {
      topic,
      payload: new TextEncoder().encode(store.get(topic)),
      retained: true,
      properties: {},
    };
    if (!late || ++sent % late.every !== 0) lateness.receive(message);
    else if (late.byMs !== Infinity) {
      later(() => lateness.receive(message), late.byMs);
    }
  };
  const lateness: Lateness = new Lateness({
    times: TIMING.looksAtOnce,
    topic: (name) => `own/${name}`,
    publish: ({ topic, payload }) => {
      goesOn();
      const keep = () => {
        if (payload === "") store.delete(topic);
        else store.set(topic, String(payload));
        if (subscribed.has(topic) || subscribed.has("own/+")) {
          lateness.receive({
            topic,
            payload: new TextEncoder().encode(String(payload)),
            retained: false,
            properties: {},
          });
        }
      };
      if (passesOnAfterMs === 0) keep();
      else later(keep, passesOnAfterMs);
      return Promise.resolve();
    },
    subscribe: (filter) => {
      goesOn();
      subscribed.add(filter);
      for (const topic of store.keys()) {
        if (filter === topic || filter === "own/+") send(topic);
      }
      return Promise.resolve();
    },
    unsubscribe: (filter) => {
      subscribed.delete(filter);
      return Promise.resolve();
    },
    fence: () => {
      fenceAt = performance.now();
      return Promise.resolve();
    },
  });
  return { due, lateness, longest: () => longest, store, subscribed };
}

for (
  const [what, late, least] of [
    ["a broker in order gets no patience", null, 0],
    ["one that is a little late gets the least", { every: 3, byMs: 5 }, 100],
    ["one that is late but seldom is found out", { every: 40, byMs: 5 }, 100],
    ["one that is later gets more", { every: 3, byMs: 200 }, 600],
  ] as const
) {
  Deno.test(`lateness: ${what}, and nothing is left at the broker`, async () => {
    const { due, lateness, longest, store, subscribed } = setUp(late);
    const patience = await lateness.measure();
    // How late it was depends on this machine, too.
    const most = late === null ? 0 : Math.max(100, 3 * longest());
    assert.ok(patience >= least && patience <= most, `${patience} ms`);
    assert.equal(store.size, 0);
    assert.equal(subscribed.size, 0);
    await Promise.all(due);
  });
}

Deno.test("lateness: what is acknowledged before it is retained comes as a new message, and is not missing", async () => {
  const { due, lateness, longest, store } = setUp(null, {
    passesOnAfterMs: 50,
  });
  const patience = await lateness.measure();
  assert.ok(patience >= 100 && patience <= Math.max(100, 3 * longest()));
  // It was not given up.
  assert.ok(longest() < 3000, `${longest()} ms`);
  await Promise.all(due);
  assert.equal(store.size, 0);
});

Deno.test("lateness: what never comes is not waited for without end", async () => {
  const { lateness } = setUp({ every: 52, byMs: Infinity });
  assert.ok(await lateness.measure() >= 3 * 3000);
});

Deno.test("lateness: only its own messages are for nobody else", () => {
  const { lateness } = setUp(null);
  const message = { payload: new Uint8Array(), retained: true, properties: {} };
  assert.ok(lateness.receive({ ...message, topic: "own/!0" }));
  assert.ok(!lateness.receive({ ...message, topic: "own/t-0" }));
});

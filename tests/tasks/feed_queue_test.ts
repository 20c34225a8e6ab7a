import type { BulkMessage, Outgoing } from "../../src/messages/packets.ts";
import assert from "node:assert/strict";
import {
  type FeedItem,
  FeedQueue,
  FeedTopic,
} from "../../src/tasks/feed_queue.ts";

const MEBIBYTE = 1024 * 1024;

function setUp() {
  const published: Outgoing[] = [];
  const logged: string[] = [];
  const warn = (text: string) => void logged.push(text);
  const queue = new FeedQueue({
    outlet: {
      bulkReady() {},
      publish: (message) => {
        published.push(message);
        return Promise.resolve();
      },
    },
    connected: () => Promise.resolve(),
    log: { debug() {}, info() {}, warn, error: warn },
  });
  return { queue, published, logged };
}

function item(name: string, size = 1): FeedItem {
  return {
    size,
    amount: () => 1,
    encode: ({ seq, leftOut }) => `${seq} ${name} ${leftOut}`,
  };
}

/** Takes everything, and acknowledges it. */
function all(queue: FeedQueue): string[] {
  const texts = [];
  for (let next; (next = queue.take()) !== null;) {
    texts.push(`${next.message.topic}: ${next.message.payload}`);
    next.answered();
  }
  return texts;
}

Deno.test("queue: topics take turns, each in its own order", () => {
  const { queue } = setUp();
  const [a, b] = [new FeedTopic("a", queue), new FeedTopic("b", queue)];
  for (const name of ["x", "y", "z"]) a.put(item(name));
  b.put(item("w"));
  assert.deepEqual(all(queue), [
    "a: 1 x 0",
    "b: 1 w 0",
    "a: 2 y 0",
    "a: 3 z 0",
  ]);
});

Deno.test("queue: beyond its bound the oldest of the longest is left out, and said", () => {
  const { queue, logged } = setUp();
  const [loud, quiet] = [
    new FeedTopic("loud", queue),
    new FeedTopic("quiet", queue),
  ];
  quiet.put(item("first"));
  for (let i = 1; i <= 20; i++) loud.put(item(`l${i}`, MEBIBYTE));
  quiet.put(item("second"));
  assert.deepEqual(all(queue), [
    "quiet: 1 first 0",
    "loud: 1 l14 13",
    "quiet: 2 second 0",
    ...[15, 16, 17, 18, 19, 20].map((i) => `loud: ${i - 13} l${i} 0`),
  ]);
  assert.equal(logged.length, 1, "said once");
});

Deno.test("queue: what has been sent keeps its number when more is left out", () => {
  const { queue } = setUp();
  const loud = new FeedTopic("loud", queue);
  const taken: BulkMessage[] = [];
  for (let i = 1; i <= 30; i++) {
    loud.put(item(`l${i}`, MEBIBYTE));
    if (i % 10 === 0) taken.push(queue.take()!);
  }
  assert.deepEqual(
    taken.map(({ message }) => message.payload),
    ["1 l4 3", "2 l14 9", "3 l24 9"],
  );
});

Deno.test("queue: the newest of a topic is never left out", () => {
  const { queue } = setUp();
  const tellings = Array.from(
    { length: 20 },
    (_, i) => new FeedTopic(`t${i}`, queue),
  );
  for (const one of tellings) one.put(item("only", MEBIBYTE));
  assert.equal(all(queue).length, 20);
});

Deno.test("telling: in a cutShort only the newest is sent, and says what is missing", async () => {
  const { queue, published } = setUp();
  const one = new FeedTopic("one", queue);
  for (let i = 1; i <= 5; i++) one.put(item(`p${i}`));
  const first = queue.take()!;
  const settled = one.settled();
  one.cutShort();
  assert.deepEqual(published.map(({ payload }) => payload), ["2 p5 3"]);
  assert.equal(queue.take(), null);
  first.answered();
  await settled;
});

Deno.test("telling: after a refusal it tells nothing more, and others do", async () => {
  const { queue, logged } = setUp();
  const [one, other] = [
    new FeedTopic("one", queue),
    new FeedTopic("other", queue),
  ];
  for (const name of ["x", "y"]) one.put(item(name));
  queue.take()!.answered(new Error("not authorized"));
  await one.settled();
  one.put(item("z"));
  other.put(item("w"));
  assert.deepEqual(all(queue), ["other: 1 w 0"]);
  assert.equal(logged.length, 1);
});

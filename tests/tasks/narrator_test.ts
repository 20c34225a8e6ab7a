import type { BulkMessage, Outgoing } from "../../src/messages/packets.ts";
import assert from "node:assert/strict";
import { Narrator, type Piece, Telling } from "../../src/tasks/narrator.ts";

const MEBIBYTE = 1024 * 1024;

function setUp() {
  const published: Outgoing[] = [];
  const logged: string[] = [];
  const warn = (text: string) => void logged.push(text);
  const narrator = new Narrator({
    outlet: {
      poke() {},
      publish: (message) => {
        published.push(message);
        return Promise.resolve();
      },
    },
    connected: () => Promise.resolve(),
    log: { debug() {}, info() {}, warn, error: warn },
  });
  return { narrator, published, logged };
}

function piece(name: string, size = 1): Piece {
  return {
    size,
    amount: () => 1,
    encode: ({ seq, leftOut }) => `${seq} ${name} ${leftOut}`,
  };
}

/** Takes everything, and acknowledges it. */
function all(narrator: Narrator): string[] {
  const texts = [];
  for (let next; (next = narrator.take()) !== null;) {
    texts.push(`${next.message.topic}: ${next.message.payload}`);
    next.answered();
  }
  return texts;
}

Deno.test("narrator: topics take turns, each in its own order", () => {
  const { narrator } = setUp();
  const [a, b] = [new Telling("a", narrator), new Telling("b", narrator)];
  for (const name of ["x", "y", "z"]) a.put(piece(name));
  b.put(piece("w"));
  assert.deepEqual(all(narrator), [
    "a: 1 x 0",
    "b: 1 w 0",
    "a: 2 y 0",
    "a: 3 z 0",
  ]);
});

Deno.test("narrator: beyond its bound the oldest of the longest is left out, and said", () => {
  const { narrator, logged } = setUp();
  const [loud, quiet] = [
    new Telling("loud", narrator),
    new Telling("quiet", narrator),
  ];
  quiet.put(piece("first"));
  for (let i = 1; i <= 20; i++) loud.put(piece(`l${i}`, MEBIBYTE));
  quiet.put(piece("second"));
  assert.deepEqual(all(narrator), [
    "quiet: 1 first 0",
    "loud: 1 l14 13",
    "quiet: 2 second 0",
    ...[15, 16, 17, 18, 19, 20].map((i) => `loud: ${i - 13} l${i} 0`),
  ]);
  assert.equal(logged.length, 1, "said once");
});

Deno.test("narrator: what has been sent keeps its number when more is left out", () => {
  const { narrator } = setUp();
  const loud = new Telling("loud", narrator);
  const taken: BulkMessage[] = [];
  for (let i = 1; i <= 30; i++) {
    loud.put(piece(`l${i}`, MEBIBYTE));
    if (i % 10 === 0) taken.push(narrator.take()!);
  }
  assert.deepEqual(
    taken.map(({ message }) => message.payload),
    ["1 l4 3", "2 l14 9", "3 l24 9"],
  );
});

Deno.test("narrator: the newest of a topic is never left out", () => {
  const { narrator } = setUp();
  const tellings = Array.from(
    { length: 20 },
    (_, i) => new Telling(`t${i}`, narrator),
  );
  for (const one of tellings) one.put(piece("only", MEBIBYTE));
  assert.equal(all(narrator).length, 20);
});

Deno.test("telling: in a hurry only the newest is sent, and says what is missing", async () => {
  const { narrator, published } = setUp();
  const one = new Telling("one", narrator);
  for (let i = 1; i <= 5; i++) one.put(piece(`p${i}`));
  const first = narrator.take()!;
  const settled = one.settled();
  one.hurry();
  assert.deepEqual(published.map(({ payload }) => payload), ["2 p5 3"]);
  assert.equal(narrator.take(), null);
  first.answered();
  await settled;
});

Deno.test("telling: after a refusal it tells nothing more, and others do", async () => {
  const { narrator, logged } = setUp();
  const [one, other] = [
    new Telling("one", narrator),
    new Telling("other", narrator),
  ];
  for (const name of ["x", "y"]) one.put(piece(name));
  narrator.take()!.answered(new Error("not authorized"));
  await one.settled();
  one.put(piece("z"));
  other.put(piece("w"));
  assert.deepEqual(all(narrator), ["other: 1 w 0"]);
  assert.equal(logged.length, 1);
});

import assert from "node:assert/strict";
import { Looking } from "../../src/content/looking.ts";
import { pause, until } from "../harness/waiting.ts";

/** Looks that take as long as the test wants. */
function scene(seconds: number) {
  const ends: (() => void)[] = [];
  const looking = new Looking({
    seconds,
    look: () => new Promise((resolve) => ends.push(resolve)),
  });
  return { looking, ends };
}

Deno.test("looking: what is asked for during a look is one more, however often", async () => {
  const { looking, ends } = scene(0);
  for (let i = 0; i < 10; i++) looking.atOnce();
  await until("the first look", () => ends.length === 1);
  for (let i = 0; i < 10; i++) looking.atOnce();
  await pause(0.05);
  assert.equal(ends.length, 1);
  ends[0]!();
  await until("the second look", () => ends.length === 2);
  ends[1]!();
  await pause(1.2);
  assert.equal(ends.length, 2);
  looking[Symbol.dispose]();
});

Deno.test("looking: it goes on by itself, if it is to", async () => {
  const { looking, ends } = scene(0.02);
  looking.next();
  for (let i = 0; i < 3; i++) {
    await until("a look", () => ends.length === i + 1);
    ends[i]!();
  }
  looking[Symbol.dispose]();
  const { length } = ends;
  await pause(0.1);
  assert.equal(ends.length, length);
  looking.atOnce();
  await pause(0.05);
  assert.equal(ends.length, length);
});

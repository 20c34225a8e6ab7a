import assert from "node:assert/strict";
import { Lookups } from "../../src/mqtt/lookups.ts";
import { pause } from "../harness/waiting.ts";

Deno.test("look-ups: what somebody waits for is in time, afterwards it is late, and what nobody has looked for is neither", async () => {
  const lookups = new Lookups();
  const { promise, resolve } = Promise.withResolvers<void>();
  const looking = lookups.during("a/+/c", () => promise);
  await pause(0.02);
  assert.equal(lookups.latenessOf("a/b/c"), 0);
  resolve();
  await looking;
  await pause(0.02);
  const late = lookups.latenessOf("a/b/c");
  assert.ok(late >= 19 && late < 5000, `${late} ms`);
  for (const topic of ["a/b", "a/b/d", "a/b/c/d", "x/b/c"]) {
    assert.equal(lookups.latenessOf(topic), 0, topic);
  }
});

Deno.test("look-ups: while one of two waits for it nothing is late, and after one that has failed, or a lost connection, nothing is either", async () => {
  const lookups = new Lookups();
  const { promise, resolve } = Promise.withResolvers<void>();
  const first = lookups.during("a", () => promise);
  for (const filter of ["a", "b"]) {
    await assert.rejects(
      lookups.during(filter, () => Promise.reject(new Error("no connection"))),
    );
  }
  await pause(0.02);
  assert.equal(lookups.latenessOf("a"), 0);
  resolve();
  await first;
  await pause(0.02);
  assert.ok(lookups.latenessOf("a") > 0);
  assert.equal(lookups.latenessOf("b"), 0);
  lookups.lost();
  assert.equal(lookups.latenessOf("a"), 0);
});

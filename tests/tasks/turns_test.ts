import assert from "node:assert/strict";
import { Turns } from "../../src/tasks/turns.ts";

/** Lets everything happen that happens by itself. */
const settle = () => new Promise((resolve) => setTimeout(resolve));

Deno.test("turns: what is about one task is done one after the other, whatever became of what was before", async () => {
  const turns = new Turns();
  const did: string[] = [];
  const first = Promise.withResolvers<string>();
  const work = (name: string, until: Promise<string>) => async () => {
    did.push(`begins ${name}`);
    return await until;
  };
  const all = [
    turns.take("t", work("a", first.promise)),
    turns.take("t", work("b", Promise.resolve("of b"))),
    turns.take("t", work("c", Promise.resolve("of c"))),
    turns.take("u", work("other", Promise.resolve("of another"))),
  ];
  const ended = Promise.allSettled(all);
  await settle();
  assert.deepEqual(did, ["begins a", "begins other"]);
  first.reject(new Error("no connection"));
  assert.deepEqual(
    (await ended).map((one) =>
      one.status === "fulfilled" ? one.value : one.reason.message
    ),
    ["no connection", "of b", "of c", "of another"],
  );
  assert.deepEqual(did, ["begins a", "begins other", "begins b", "begins c"]);
});

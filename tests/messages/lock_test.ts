import assert from "node:assert/strict";
import { inventoryLock, lockNameSchema } from "../../src/messages/lock.ts";

Deno.test("lock: an inventory has one name, however it is written, and one that is a level of a topic", async () => {
  const names = async (...inventories: string[][]) =>
    new Set(await Promise.all(inventories.map(inventoryLock)));
  assert.deepEqual(
    await names(["hosts"], ["./hosts"], ["a/../hosts"], ["hosts/"]),
    new Set(["inventory:hosts"]),
  );
  assert.deepEqual(
    await names(["a/b"]),
    new Set(["inventory:a~2fb"]),
  );
  const different = await names(
    ["a", "b"],
    ["a"],
    ["b"],
    ["a+b"],
    ["a~2bb"],
    ["a,b"],
    ["x".repeat(200)],
    ["x".repeat(201)],
  );
  assert.equal(different.size, 8);
  for (const name of different) {
    assert.ok(lockNameSchema.safeParse(name).success, name);
  }
});

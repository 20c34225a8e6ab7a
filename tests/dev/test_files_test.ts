import assert from "node:assert/strict";
import { LONG, testFiles } from "../../dev/test_files.ts";

Deno.test("what takes long is run first, and is there", async () => {
  const files = await testFiles(["tests"]);
  for (const long of LONG) {
    assert.ok(
      files.some((file) => file.startsWith(long)),
      `no tests at ${long}`,
    );
  }
  const alone = LONG.filter((long) => long.endsWith(".ts"));
  assert.deepEqual(files.slice(0, alone.length), alone);
  assert.equal(new Set(files).size, files.length);
});

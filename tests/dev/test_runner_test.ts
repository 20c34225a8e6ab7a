import assert from "node:assert/strict";
import { join, relative } from "node:path";
import { ROOT } from "../../dev/programs.ts";
import { processesNamed } from "../harness/processes.ts";

Deno.test("a file of tests that hangs is ended with what it has started, shown, and has failed", async () => {
  const directory = await Deno.makeTempDir();
  try {
    const file = join(directory, "hanging_test.ts");
    const started = join(directory, "started");
    await Deno.writeTextFile(
      file,
      `Deno.test("hangs", async () => {
  console.log("it has begun");
  await new Deno.Command("tail", { args: ["-f", "${started}"] }).output();
});
`,
    );
    await Deno.writeTextFile(started, "");
    const { code, stdout } = await new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "-A",
        `${ROOT}dev/test.ts`,
        "--limit=10",
        relative(ROOT, file),
        // Of several files, each is shown when it has failed.
        "tests/deadline_test.ts",
      ],
      stdin: "null",
    }).output();
    const text = new TextDecoder().decode(stdout);
    assert.equal(code, 1, text);
    assert.match(text, /hanging_test\.ts takes longer than 10 s: it is ended/);
    assert.match(text, /it has begun/);
    assert.match(text, /\b[1-9]\d* passed, 1 failed\n$/);
    assert.deepEqual(await processesNamed(new RegExp(started)), []);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

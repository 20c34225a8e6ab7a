/** The faults that the simulator has to find are faults of the present source. */
import assert from "node:assert/strict";
import { ROOT } from "../../dev/programs.ts";
import { MUTANTS, patchOf } from "./mutants.ts";

Deno.test("each fault that is put into a copy of the source fits it, and is looked for somewhere", async () => {
  const names = [];
  for await (
    const { name } of Deno.readDir(new URL("mutants/", import.meta.url))
  ) names.push(name.replace(/\.patch$/, ""));
  assert.deepEqual(names.sort(), Object.keys(MUTANTS).sort());
  for (const name of names) {
    const { success, stderr } = await new Deno.Command("git", {
      args: ["apply", "--check", patchOf(name)],
      cwd: ROOT,
    }).output();
    assert.ok(success, `${name}: ${new TextDecoder().decode(stderr)}`);
  }
});

/** What is named in the place of a file that there is not. */
import assert from "node:assert/strict";
import { nearestFile } from "../../src/ansible/nearest_file.ts";

const FILES = [
  "site.yml",
  "deploy/web.yml",
  "roles/web/tasks/site2.yml",
  "production",
  "secret.yml",
];

Deno.test("nearestFile() finds what was meant, and names nothing that may not be asked for", async () => {
  const directory = await Deno.makeTempDir({ prefix: "nearest-" });
  try {
    for (const file of FILES) {
      const path = `${directory}/${file}`;
      await Deno.mkdir(path.replace(/[^/]*$/, ""), { recursive: true });
      await Deno.writeTextFile(path, "");
    }
    for (
      const [path, expected] of [
        ["site.yaml", "site.yml"],
        ["Site", "site.yml"],
        ["sitte.yml", "site.yml"],
        ["web.yml", "deploy/web.yml"],
        ["deploy/wep.yml", "deploy/web.yml"],
        ["prodction", "production"],
        ["sekret.yml", null],
        ["something.yml", null],
        ["x", null],
        ["y".repeat(1000), null],
      ] as const
    ) {
      const found = await nearestFile(directory, {
        path,
        isAllowed: (other) => other !== "secret.yml",
      });
      assert.equal(found, expected, path);
    }
    assert.equal(
      await nearestFile(`${directory}/none`, {
        path: "site.yml",
        isAllowed: () => true,
      }),
      null,
    );
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

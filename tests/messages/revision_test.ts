import assert from "node:assert/strict";
import { revisionSchema } from "../../src/messages/revision.ts";

Deno.test("a revision is a tag or a commit, and nothing that git takes for more", () => {
  for (
    const name of [
      "1f0c3e9a",
      "1f0c3e9a7b5d2468ace013579bdf02468ace1357",
      "v2.1",
      "release/2024-06",
      "ünïcode",
      "a'b$(id)",
    ]
  ) assert.ok(revisionSchema.safeParse(name).success, name);
  for (
    const name of [
      "",
      "-x",
      "--upload-pack=id",
      "/etc/passwd",
      "../x",
      "a/../b",
      "a..b",
      "HEAD~1",
      "HEAD^",
      "main@{1}",
      ":/message",
      "a b",
      "a\n",
      "a\0",
      "a*",
      "a?",
      "[a]",
      "a\\b",
      "a//b",
      "a/",
      "a.",
      "a.lock",
      "a".repeat(201),
    ]
  ) assert.ok(!revisionSchema.safeParse(name).success, JSON.stringify(name));
});

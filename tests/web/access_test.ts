import assert from "node:assert/strict";
import { isOurs } from "../../src/web/access.ts";
import { Attempts } from "../../src/web/attempts.ts";
import {
  hashOf,
  isPassword,
  parseUsers,
  UsersError,
  withUser,
} from "../../src/web/users.ts";

Deno.test("a password is compared with its hash, also where there is no user", async () => {
  const hash = await hashOf("correct horse");
  const user = { name: "a", role: "viewer" as const, hash };
  assert.ok(await isPassword("correct horse", user));
  assert.ok(!await isPassword("correct horsE", user));
  assert.ok(!await isPassword("correct horse", undefined));
  assert.notEqual(hash, await hashOf("correct horse"), "its salt is its own");
  // The same letters, written in another way.
  const composed = { ...user, hash: await hashOf("pässword") };
  assert.ok(await isPassword("pa\u0308ssword", composed));
});

Deno.test("a wrong line of the users' file is told", async () => {
  const hash = await hashOf("12345678");
  const text = withUser("# users\n", { name: "a", role: "viewer", hash });
  assert.equal(parseUsers(text).get("a")?.role, "viewer");
  const changed = withUser(text, { name: "a", role: "operator", hash });
  assert.deepEqual([...parseUsers(changed).keys()], ["a"]);
  assert.equal(parseUsers(changed).get("a")?.role, "operator");
  for (
    const [line, why] of [
      ["a", "line 1: the role must be"],
      ["a b:viewer:x", "line 1: must be NAME:ROLE:HASH"],
      ["a:admin:x", "line 1: the role must be viewer or operator"],
      ["a:viewer:secret", "line 1: the hash is none"],
      [`a:viewer:${hash.replace("32768", "3")}`, "line 1: the hash is none"],
      [`a:viewer:${hash.replace("32768", "1073741824")}`, "the hash is none"],
      [`a:viewer:${hash}\na:viewer:${hash}`, "line 2: a is there twice"],
    ] as const
  ) {
    assert.throws(
      () => parseUsers(line),
      (error) => error instanceof UsersError && error.message.includes(why),
      line,
    );
  }
});

Deno.test("who was wrong too often has to wait", () => {
  const attempts = new Attempts(3);
  for (let i = 0; i < 3; i++) {
    assert.equal(attempts.wait("a", 0), 0);
    attempts.begin("a", 0);
  }
  assert.equal(attempts.wait("a", 0), 300);
  assert.equal(attempts.wait("b", 0), 0);
  assert.equal(attempts.wait("a", 300_000), 0);
  attempts.begin("a", 300_000);
  assert.equal(attempts.wait("a", 300_000), 0, "it is counted anew");
  attempts.right("a");
  for (let i = 0; i < 2; i++) attempts.begin("a", 300_000);
  assert.equal(attempts.wait("a", 300_000), 0);
});

Deno.test("what changes something has to come from a page of ours", () => {
  const ask = (headers: Record<string, string>) =>
    isOurs(
      new Request("http://host/", {
        method: "POST",
        headers: { host: "page:8480", ...headers },
      }),
    );
  assert.ok(ask({ "sec-fetch-site": "same-origin", origin: "https://page" }));
  for (const site of ["cross-site", "same-site", "none", ""]) {
    assert.ok(
      !ask({ "sec-fetch-site": site, origin: "http://page:8480" }),
      site,
    );
  }
  assert.ok(ask({ origin: "http://page:8480" }));
  assert.ok(ask({ origin: "https://page:8480" }));
  for (
    const origin of [
      "null",
      "http://page",
      "http://page:8480.evil",
      "http://evil/page:8480",
      "http://evil",
    ]
  ) {
    assert.ok(!ask({ origin, "content-type": "application/json" }), origin);
  }
  assert.ok(ask({ "content-type": "application/json" }));
  assert.ok(!ask({ "content-type": "text/plain" }));
  assert.ok(!ask({ "content-type": "application/x-www-form-urlencoded" }));
  assert.ok(!ask({}));
});

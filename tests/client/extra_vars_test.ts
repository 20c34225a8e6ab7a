/**
 * Extra variables: the ways of ansible-playbook.
 */
import assert from "node:assert/strict";
import { extraVars, ExtraVarsError } from "../../src/client/extra_vars.ts";

for (
  const [given, expected] of [
    [["a=1"], '{"a":"1"}'],
    [
      ["a=1 b='two words'", 'c="3 = three"'],
      '{"a":"1","b":"two words","c":"3 = three"}',
    ],
    [["a=1", "a=2"], '{"a":"2"}'],
    [["a="], '{"a":""}'],
    [
      ['{"a": 1.0, "b": 12345678901234567890, "c": 1e3, "d": [true, null]}'],
      '{"a":1.0,"b":12345678901234567890,"c":1e3,"d":[true,null]}',
    ],
    [
      ["{a: yes, b: 2026-05-04, c: 0644}"],
      '{"a":true,"b":"2026-05-04","c":420}',
    ],
    [['{"a": "x"}', "b=y"], '{"a":"x","b":"y"}'],
  ] as const
) {
  Deno.test(`extraVars() understands ${given.join(" -e ")}`, async () => {
    assert.equal(JSON.stringify(await extraVars([...given])), expected);
  });
}

Deno.test("extraVars() has none if none were given", async () => {
  assert.equal(await extraVars([]), undefined);
});

for (
  const [given, says] of [
    ["a", '"a" is not NAME=VALUE'],
    ["a=one two", '"two" is not NAME=VALUE'],
    [" ", "is empty"],
    ['a={"b": 1}', '"1}" is not NAME=VALUE'],
    ["=1", '"=1" is not NAME=VALUE'],
    ["@/nowhere/vars.yml", 'there is no file "/nowhere/vars.yml"'],
    ["{a: .inf}", "its value has a number that JSON cannot express"],
    ["{1: a}", "its value has a key that is not a string"],
    ["{a: 1", "its value is not valid"],
    ["{a: !vault x}", "its value is not valid"],
  ] as const
) {
  Deno.test(`extraVars() says what is wrong with "${given}"`, async () => {
    await assert.rejects(
      extraVars([given]),
      (error: Error) =>
        error instanceof ExtraVarsError && error.message.includes(says),
    );
  });
}

for (
  const [name, text, expected] of [
    [
      "YAML",
      "# a comment\nrelease: 1.10\nhosts:\n  - a\n  - b\n",
      '{"release":1.10,"hosts":["a","b"]}',
    ],
    ["JSON", '{"release": "1.10"}', '{"release":"1.10"}'],
    ["nothing but a comment", "# nothing\n", "{}"],
    ["an anchor", "a: &x {b: 1}\nc: *x\n", '{"a":{"b":1},"c":{"b":1}}'],
  ] as const
) {
  Deno.test(`extraVars() reads a file with ${name}`, async () => {
    const file = await Deno.makeTempFile();
    try {
      await Deno.writeTextFile(file, text);
      assert.equal(JSON.stringify(await extraVars([`@${file}`])), expected);
    } finally {
      await Deno.remove(file);
    }
  });
}

for (
  const [name, text, says] of [
    ["a list", "- a\n", "is not a mapping"],
    [
      "what ansible-vault has encrypted",
      "$ANSIBLE_VAULT;1.1;AES256\n61\n",
      "is encrypted",
    ],
  ] as const
) {
  Deno.test(`extraVars() refuses a file with ${name}`, async () => {
    const file = await Deno.makeTempFile();
    try {
      await Deno.writeTextFile(file, text);
      await assert.rejects(
        extraVars([`@${file}`]),
        (error: Error) => error.message.includes(says),
      );
    } finally {
      await Deno.remove(file);
    }
  });
}

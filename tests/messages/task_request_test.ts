import assert from "node:assert/strict";
import {
  MAX_REQUEST_BYTES,
  parseTaskRequest,
} from "../../src/messages/task_request.ts";

const parse = (value: unknown) =>
  parseTaskRequest(
    new TextEncoder().encode(
      typeof value === "string" ? value : JSON.stringify(value),
    ),
  );
const GOOD = { task_id: "a", playbook: "p.yml", inventory: "hosts" };

Deno.test("a request with null in every optional field is one without them", () => {
  const parsed = parse({
    ...GOOD,
    extra_vars: null,
    limit: null,
    tags: null,
    skip_tags: null,
    verbosity: null,
    check_mode: null,
    diff_mode: null,
    forks: null,
    timeout: null,
  });
  assert.ok(parsed.ok);
  assert.deepEqual(
    Object.fromEntries(
      Object.entries(parsed.request).filter(([, value]) => value !== undefined),
    ),
    GOOD,
  );
  assert.equal(parsed.extraVars, null);
});

Deno.test("extra variables keep their numbers as they were written", () => {
  const parsed = parse(
    '{"task_id":"a","playbook":"p","inventory":"i",' +
      '"extra_vars":{"a":[1.0,1e2,12345678901234567890,3],"s":"1.0"}}',
  );
  assert.ok(parsed.ok);
  assert.equal(
    parsed.extraVars,
    '{"a":[1.0,1e2,12345678901234567890,3],"s":"1.0"}',
  );
});

for (
  const id of ["", "a/b", "a+b", "a#b", "a b", "ä", "a".repeat(129), 5, null]
) {
  Deno.test(`the id ${JSON.stringify(id).slice(0, 20)} is refused`, () => {
    const parsed = parse({ ...GOOD, task_id: id });
    assert.ok(!parsed.ok);
    assert.equal(parsed.taskId, null);
    assert.deepEqual(parsed.errors.map(({ path }) => path), ["task_id"]);
  });
}

Deno.test("all problems are told at once, and the id where it is one", () => {
  const parsed = parse({ task_id: "x", forks: 0, hosts: "all" });
  assert.ok(!parsed.ok);
  assert.equal(parsed.taskId, "x");
  assert.deepEqual(
    parsed.errors.map(({ path, message }) => `${path} ${message}`).toSorted()
      .map((line) => line.split(":")[0]),
    [
      "forks Too small",
      "hosts is not a field of a task request",
      "inventory is required",
      "playbook is required",
    ],
  );
});

for (
  const [inventory, message] of [
    [undefined, "inventory: is required"],
    [5, "inventory: must be a text, or a list of texts"],
    ["", "inventory: must not be empty"],
    [[], "inventory: must not be empty"],
    [["a", ""], "inventory.1: must not be empty"],
    [["a", "b\nc"], "inventory.1: must not contain control characters"],
    [["a", 5], "inventory.1: Invalid input: expected string, received number"],
  ] as const
) {
  Deno.test(`the inventory ${JSON.stringify(inventory)} is refused`, () => {
    const parsed = parse({ ...GOOD, inventory });
    assert.ok(!parsed.ok);
    assert.deepEqual(
      parsed.errors.map(({ path, message }) => `${path}: ${message}`),
      [message],
    );
  });
}

Deno.test("what is too large is refused without being read", () => {
  const parsed = parseTaskRequest(new Uint8Array(MAX_REQUEST_BYTES + 1));
  assert.ok(!parsed.ok);
  assert.equal(parsed.reason, "too_large");
});

/**
 * Tables and texts of any width.
 */
import assert from "node:assert/strict";
import { type Column, table, textsOf } from "../../src/client/table.ts";
import { fit, widthOf, wrap } from "../../src/client/text_width.ts";

const plain = (text: string) => text;

const COLUMNS: readonly Column<string[]>[] = [
  { title: "TASK", text: ([task]) => task!, minWidth: 6 },
  { title: "STATE", text: ([_, state]) => state! },
  {
    title: "PLAYBOOK",
    text: ([_, __, playbook]) => playbook!,
    minWidth: 8,
    drop: 2,
  },
  { title: "NOW", text: ([_, __, ___, now]) => now!, minWidth: 8, drop: 1 },
];

const ROWS = [
  ["deploy-42", "running", "site.yml", "Restart the web servers"],
  ["b", "queued", "a/longer/name.yml", ""],
];

function drawn(width: number, rows = ROWS): string[] {
  return textsOf(table(COLUMNS, rows, { width, paint: plain }), width);
}

Deno.test("table() has its natural width where there is room", () => {
  assert.deepEqual(drawn(Infinity), [
    "TASK       STATE    PLAYBOOK           NOW",
    "deploy-42  running  site.yml           Restart the web servers",
    "b          queued   a/longer/name.yml",
  ]);
});

Deno.test("table() shrinks the widest columns first", () => {
  assert.deepEqual(drawn(48), [
    "TASK       STATE    PLAYBOOK       NOW",
    "deploy-42  running  site.yml       Restart the …",
    "b          queued   a/longer/nam…",
  ]);
});

Deno.test("table() drops the least important columns where nothing else helps", () => {
  assert.deepEqual(drawn(26), [
    "TASK     STATE    NOW",
    "deploy…  running  Restart…",
    "b        queued",
  ]);
  assert.deepEqual(drawn(16), [
    "TASK     STATE",
    "deploy…  running",
    "b        queued",
  ]);
});

Deno.test("table() never draws a line that is wider than its width", () => {
  const rows = [
    ["日本語のタスク", "running", "é".repeat(30), "🚀 to the moon 🚀"],
    ["e\u0301".repeat(20), "queued", "x", "y".repeat(200)],
  ];
  for (let width = 1; width <= 120; width++) {
    for (const line of drawn(width, rows)) {
      assert.ok(widthOf(line) <= width, `${width}: ${line}`);
    }
  }
});

Deno.test("table() makes what stands in it harmless", () => {
  const [, row] = drawn(Infinity, [[
    "a\u001b[2J",
    "x\ny",
    "\u202ereverse",
    "\u009b1m",
  ]]);
  assert.equal(row, "a\\u001b[2J  x\\ny   \\u202ereverse  \\u009b1m");
});

for (
  const [text, columns, expected] of [
    ["abc", 3, "abc"],
    ["abcd", 3, "ab…"],
    ["日本語", 5, "日本…"],
    ["日本語", 4, "日…"],
    ["e\u0301e\u0301e\u0301", 2, "e\u0301…"],
    ["🚀🚀", 3, "🚀…"],
    ["abc", 0, ""],
  ] as const
) {
  Deno.test(`fit() cuts ${text} to ${columns} columns`, () => {
    assert.equal(fit(text, columns), expected);
  });
}

Deno.test("wrap() breaks between words, and keeps spaces and lines", () => {
  assert.deepEqual(wrap("  one  two three\nfour", 10), [
    "  one  two",
    "three",
    "four",
  ]);
  assert.deepEqual(wrap("a-word-that-is-too-long x", 5), [
    "a-word-that-is-too-long",
    "x",
  ]);
  assert.deepEqual(wrap("", 5), [""]);
});

import assert from "node:assert/strict";
import fc from "fast-check";
import {
  encodeOutput,
  MAX_OUTPUT_MESSAGE_BYTES,
  piecesOf,
} from "../../src/messages/output.ts";

Deno.test("output: pieces fit into a message each, whole characters, nothing missing", () => {
  const long = fc.tuple(
    fc.string({ unit: "binary", minLength: 1, maxLength: 20 }),
    fc.integer({ min: 1, max: 12_000 }),
  ).map(([text, times]) => text.repeat(times));
  fc.assert(
    fc.property(long, (text) => {
      const pieces = piecesOf(text);
      assert.equal(pieces.join(""), text);
      for (const piece of pieces) {
        assert.ok(piece.isWellFormed());
        const message = encodeOutput({
          task_id: "x".repeat(128),
          seq: Number.MAX_SAFE_INTEGER,
          stream: "stdout",
          text: piece,
          truncated: false,
          left_out: Number.MAX_SAFE_INTEGER,
        });
        const bytes = new TextEncoder().encode(message).length;
        assert.ok(bytes <= MAX_OUTPUT_MESSAGE_BYTES);
      }
    }),
    { numRuns: 200 },
  );
});

Deno.test("output: what fits is one piece", () => {
  assert.deepEqual(piecesOf("x".repeat(60_000)), ["x".repeat(60_000)]);
  assert.equal(piecesOf("\u0001".repeat(60_000)).length, 8);
  assert.equal(piecesOf("\u{1f600}".repeat(30_000)).length, 2);
});

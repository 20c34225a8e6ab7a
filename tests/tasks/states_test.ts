import assert from "node:assert/strict";
import { TASK_STATES } from "../../src/messages/task_status.ts";
import { isFinal, mayMove } from "../../src/tasks/states.ts";

Deno.test("the states move as the table says, and in no other way", () => {
  const allowed = [
    "new→queued",
    "new→failed",
    "queued→running",
    "queued→failed",
    "queued→cancelled",
    "running→success",
    "running→failed",
    "running→cancelled",
    "running→timeout",
  ];
  const found = (["new", ...TASK_STATES] as const).flatMap((from) =>
    TASK_STATES.filter((to) => mayMove(from, to)).map((to) => `${from}→${to}`)
  );
  assert.deepEqual(found.toSorted(), allowed.toSorted());
  assert.deepEqual(TASK_STATES.filter(isFinal), [
    "success",
    "failed",
    "cancelled",
    "timeout",
  ]);
});

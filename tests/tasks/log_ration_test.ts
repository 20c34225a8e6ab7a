import assert from "node:assert/strict";
import { LogRation } from "../../src/tasks/log_ration.ts";

/** A ration of three lines, and what it has written. */
function ration(windowMs = 60_000) {
  const lines: string[] = [];
  const next = Promise.withResolvers<void>();
  const write = (message: string, fields?: Record<string, unknown>) => {
    lines.push(fields ? `${message} ${JSON.stringify(fields)}` : message);
    if (fields) next.resolve();
  };
  const log = new LogRation({ info: write, warn: write }, {
    most: 3,
    windowMs,
  });
  return { lines, log, summary: next.promise };
}

const SUMMARY = 'more messages came than are told of one by one {"left_out":2}';

Deno.test("LogRation leaves out what is more, and says how much at the end", () => {
  const { lines, log } = ration();
  for (const line of ["a", "b", "c", "d", "e"]) log.warn(line);
  assert.deepEqual(lines, ["a", "b", "c"]);
  log[Symbol.dispose]();
  assert.deepEqual(lines, ["a", "b", "c", SUMMARY]);
  log.info("f");
  log[Symbol.dispose]();
  log[Symbol.dispose]();
  assert.deepEqual(lines.slice(4), ["f"]);
});

Deno.test("LogRation says how much by itself when its time is over", async () => {
  const { lines, log, summary } = ration(5);
  for (const line of ["a", "b", "c", "d", "e"]) log.info(line);
  await summary;
  assert.deepEqual(lines, ["a", "b", "c", SUMMARY]);
});

import assert from "node:assert/strict";
import { simulate } from "./program.ts";

/** Runs under `mosquitto`. */
const RUNS = 1000;

Deno.test("simulation: on a broker like mosquitto every promise is kept", async () => {
  const { code, text } = await simulate(
    "--profile=mosquitto",
    "--seed=1",
    `--runs=${RUNS}`,
  );
  assert.equal(code, 0, text);
  assert.doesNotMatch(text, /fell in/);
  // What is not reached is not tried.
  for (
    const what of [
      "kill",
      "silent kill",
      "cut",
      "stop",
      "reload",
      "step closed",
      "step taken",
      "step moved",
      "killed after recorded",
      "killed after queued",
      "killed after answered",
      "killed after running",
      "killed after started",
      "killed after ended",
      "killed after published",
      "killed after offered",
      "killed after taken",
      "killed after marked",
      "killed after taken_over",
      "killed after connected",
      "killed after moved",
      "killed after closed",
    ]
  ) {
    const times = new RegExp(`\\b${what} (\\d+)`).exec(text);
    assert.ok(Number(times?.[1] ?? 0) > 0, `${what}: ${text}`);
  }
});

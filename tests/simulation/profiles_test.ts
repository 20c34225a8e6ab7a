import assert from "node:assert/strict";
import { ROOT } from "../../dev/programs.ts";
import { PROFILE_NAMES } from "./profiles.ts";
import { simulate } from "./program.ts";

const PLANS = `${ROOT}tests/simulation/plans`;

/** Runs under each profile but `mosquitto`. */
const RUNS = 30;

Deno.test("simulation: on other brokers nothing falls but what is known to", async () => {
  const others = PROFILE_NAMES.filter((name) => name !== "mosquitto");
  const { code, text } = await simulate(
    ...others.map((name) => `--profile=${name}`),
    "--seed=1",
    `--runs=${RUNS}`,
  );
  assert.equal(code, 0, text);
});

Deno.test("simulation: the same seed gives the same packets and log lines in another process", async () => {
  const args = ["--seed=1", "--runs=25", "--hash", "--profile=mosquitto"];
  const [one, other] = await Promise.all([
    simulate(...args),
    simulate(...args),
  ]);
  const hashes = ({ text }: { text: string }) =>
    text.match(/\b[0-9a-f]{64}\b/g);
  assert.equal(hashes(one)?.length, 25, one.text);
  assert.equal(new Set(hashes(one)).size, 25);
  assert.deepEqual(hashes(one), hashes(other));
});

Deno.test("simulation: what has failed once does not any more", async () => {
  const plans: string[] = [];
  for await (const { name } of Deno.readDir(PLANS)) {
    if (name.endsWith(".json")) plans.push(`--plan=${PLANS}/${name}`);
  }
  assert.ok(plans.length > 0);
  const { code, text } = await simulate(...plans);
  assert.equal(code, 0, text);
});

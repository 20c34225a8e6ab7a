/**
 * The simulator, as processes of its own: it puts virtual time in the place of
 * the globals.
 */
import assert from "node:assert/strict";
import { ROOT } from "../../dev/programs.ts";
import { PROFILE_NAMES } from "./profiles.ts";

const DIRECTORY = `${ROOT}tests/simulation`;

/** Runs under `mosquitto`, and under each of the other profiles. */
const RUNS = 1000;
const RUNS_OF_OTHERS = 30;

async function simulate(
  ...args: string[]
): Promise<{ code: number; text: string }> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "-A",
      "--v8-flags=--expose-gc",
      `${DIRECTORY}/main.ts`,
      ...args,
    ],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).output();
  const decoder = new TextDecoder();
  return { code, text: decoder.decode(stdout) + decoder.decode(stderr) };
}

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

Deno.test("simulation: on other brokers nothing falls but what is known to", async () => {
  const others = PROFILE_NAMES.filter((name) => name !== "mosquitto");
  const { code, text } = await simulate(
    ...others.map((name) => `--profile=${name}`),
    "--seed=1",
    `--runs=${RUNS_OF_OTHERS}`,
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
  for await (const { name } of Deno.readDir(`${DIRECTORY}/plans`)) {
    if (name.endsWith(".json")) plans.push(`--plan=${DIRECTORY}/plans/${name}`);
  }
  assert.ok(plans.length > 0);
  const { code, text } = await simulate(...plans);
  assert.equal(code, 0, text);
});

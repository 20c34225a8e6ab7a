/** What the doctor's findings look like. */
import assert from "node:assert/strict";
import { lines } from "../../src/cli/doctor.ts";
import type { Finding } from "../../src/doctor/finding.ts";
import { ROOT, startArguments } from "../../dev/programs.ts";

const FINDING: Finding = {
  id: "broker",
  title: "broker",
  status: "failed",
  message: "connection refused: nothing listens at 127.0.0.1:1883",
  advice: ["Check mqtt.port.", "Is the broker running?"],
};

test("a finding in a pipe: a line, and one for each advice", () => {
  assert.equal(
    lines(FINDING, { width: null, colour: false }),
    `FAILED   broker: connection refused: nothing listens at 127.0.0.1:1883
         Check mqtt.port.
         Is the broker running?
`,
  );
});

test("a finding in a narrow terminal is broken between words", () => {
  assert.equal(
    lines(FINDING, { width: 40, colour: false }),
    `FAILED   broker: connection refused:
         nothing listens at
         127.0.0.1:1883
         Check mqtt.port.
         Is the broker running?
`,
  );
});

test("only the word at the beginning has a colour", () => {
  assert.equal(
    lines({ ...FINDING, advice: [] }, { width: null, colour: true }),
    `\x1b[31;1mFAILED   \x1b[0mbroker: ${FINDING.message}\n`,
  );
});

for (
  const [name, env, columns] of [
    ["colours in a terminal", {}, 50],
    ["no colour with NO_COLOR", { NO_COLOR: "1" }, 100],
  ] as const
) {
  test(`${name}, ${columns} columns wide`, async () => {
    const quoted = [
      Deno.execPath(),
      ...startArguments(),
      "doctor",
      "-c",
      "nowhere.yaml",
    ].map((word) => `'${word}'`).join(" ");
    const { NO_COLOR: _, ...own } = Deno.env.toObject();
    const { code, stdout } = await new Deno.Command("script", {
      args: [
        "--quiet",
        "--return",
        "--command",
        `stty cols ${columns}; exec ${quoted}`,
        "/dev/null",
      ],
      cwd: ROOT,
      clearEnv: true,
      env: { ...own, TERM: "xterm", ...env },
      stdin: "null",
      stderr: "null",
    }).output();
    assert.equal(code, 1);
    const text = new TextDecoder().decode(stdout).replaceAll("\r", "");
    // deno-lint-ignore no-control-regex
    const plain = text.replaceAll(/\x1b\[[\d;]*m/g, "");
    assert.match(plain, /^FAILED {3}configuration: Cannot read/m);
    assert.match(plain, /^skipped {2}permissions: needs a configuration/m);
    assert.equal(text !== plain, name.startsWith("colours"));
    const widest = Math.max(...plain.split("\n").map((line) => line.length));
    assert.ok(widest <= columns, plain);
    assert.ok(widest > columns - 20, plain);
  });
}

function test(name: string, fn: () => void | Promise<void>): void {
  Deno.test({
    name: `doctor: ${name}`,
    sanitizeOps: true,
    sanitizeResources: true,
    fn,
  });
}

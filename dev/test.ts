// deno-lint-ignore-file no-console
/**
 * `deno task test [FILTER…]`: sets up, runs the tests, and ends with one line
 * that says how many passed and how many failed.
 *
 * @module
 */
import { count } from "./junit.ts";
import { ROOT } from "./programs.ts";
import { setUp } from "./set_up.ts";

if (!await setUp()) Deno.exit(1);

const report = await Deno.makeTempFile({ suffix: ".xml" });
try {
  const targets = Deno.args.length > 0 ? Deno.args : ["tests"];
  const { code } = await new Deno.Command(Deno.execPath(), {
    args: ["test", "-A", "--no-prompt", `--junit-path=${report}`, ...targets],
    cwd: ROOT,
    stdin: "null",
    stdout: "inherit",
    stderr: "inherit",
  }).output();
  const { passed, failed } = count(await Deno.readTextFile(report));
  // A run that fails without a failed test has failed before its tests.
  const failures = failed === 0 && code !== 0 ? 1 : failed;
  console.log(`${passed} passed, ${failures} failed`);
  if (code !== 0 || passed === 0) Deno.exitCode = 1;
} finally {
  await Deno.remove(report);
}

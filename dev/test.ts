// deno-lint-ignore-file no-console
/**
 * `deno task test [--jobs=N] [--limit=SECONDS] [FILE|FOLDER…] [OPTION…]`: sets up,
 * runs the tests, and ends with one line that says how many passed and how many
 * failed. What else begins with a dash is for `deno test`, such as
 * `--filter=NAME`.
 *
 * Each file is a process of its own, and several of them run side by side, more
 * than there are processors: the tests spend much of their time waiting. What a
 * file prints is shown where it fails, or where it is the only one. Types are
 * `deno task check`'s. A file that takes longer than the limit hangs: it is ended,
 * shown, and has failed.
 *
 * `--quick` leaves out whatever starts a program: no broker, no Ansible.
 *
 * @module
 */
import { killAll, processesBelow } from "../tests/harness/processes.ts";
import { count, type Counts } from "./junit.ts";
import { ROOT } from "./programs.ts";
import { FOR_TESTS, setUp } from "./set_up.ts";
import { quickOnes, testFiles } from "./test_files.ts";

/** Files that run side by side for each processor. */
const JOBS_A_PROCESSOR = 3;

/**
 * How long a file may take, in seconds: none takes half of that, beside all of the
 * tests a second time on two processors.
 */
const LIMIT_SECONDS = 1500;

const own = (name: string) =>
  Deno.args.find((one) => one === name || one.startsWith(`${name}=`));
const jobs = Number(
  own("--jobs")?.split("=")[1] ??
    navigator.hardwareConcurrency * JOBS_A_PROCESSOR,
);
const limit = Number(own("--limit")?.split("=")[1] ?? LIMIT_SECONDS);
const quick = own("--quick") !== undefined;
const others = Deno.args.filter((one) => !/^--(jobs=|limit=|quick$)/.test(one));
const options = others.filter((one) => one.startsWith("-"));
const targets = others.filter((one) => !one.startsWith("-"));

if (!quick && !await setUp(...FOR_TESTS)) Deno.exit(1);

const all = await testFiles(targets.length > 0 ? targets : ["tests"]);
const files = quick ? await quickOnes(all) : all;
const text = new TextDecoder();
const sum: Counts = { passed: 0, failed: 0 };
const queue = [...files];
await Promise.all(Array.from({ length: jobs }, async () => {
  for (let file = queue.shift(); file; file = queue.shift()) await run(file);
}));
console.log(`${sum.passed} passed, ${sum.failed} failed`);
if (sum.failed > 0 || sum.passed === 0) Deno.exitCode = 1;

/** Runs the tests of a file, and says what became of them. */
async function run(file: string): Promise<void> {
  const report = await Deno.makeTempFile({ suffix: ".xml" });
  try {
    const since = performance.now();
    const alone = files.length === 1;
    const child = new Deno.Command(Deno.execPath(), {
      args: [
        "test",
        "-A",
        "--no-prompt",
        "--no-check",
        `--junit-path=${report}`,
        ...options,
        file,
      ],
      cwd: ROOT,
      stdin: "null",
      stdout: alone ? "inherit" : "piped",
      stderr: alone ? "inherit" : "piped",
    }).spawn();
    const timer = setTimeout(async () => {
      console.log(`${file} takes longer than ${limit} s: it is ended`);
      killAll(await processesBelow(child.pid));
    }, limit * 1000);
    const output = alone ? null : await child.output();
    const { code } = await child.status;
    clearTimeout(timer);
    const seconds = (performance.now() - since) / 1000;
    const { passed, failed } = count(await Deno.readTextFile(report));
    // A run that fails without a failed test has failed before its tests.
    const failures = failed === 0 && code !== 0 ? 1 : failed;
    sum.passed += passed;
    sum.failed += failures;
    if (failures > 0 && output) {
      console.log(text.decode(output.stdout) + text.decode(output.stderr));
    }
    console.log(
      `${failures > 0 ? "FAILED" : "ok    "} ${file}: ${passed} passed${
        failures > 0 ? `, ${failures} failed` : ""
      } (${seconds.toFixed(0)} s)`,
    );
  } finally {
    await Deno.remove(report);
  }
}

// deno-lint-ignore-file no-console
/**
 * `deno task soak [MINUTES [SEED]]`: a broker that crashes ten times, ten power
 * cuts, locks, a request for everyone and a schedule in full size, then random
 * runs, one seed after another, until the time is over (default: 10 minutes) or a
 * promise is broken.
 *
 * @module
 */
import { everyoneRun, scheduledRun } from "../tests/faults/asked_for_run.ts";
import { crashRun } from "../tests/faults/crash_run.ts";
import { lockedRun } from "../tests/faults/locked_run.ts";
import { powerCuts } from "../tests/faults/power_cuts.ts";
import { randomRun } from "../tests/faults/random_run.ts";
import { setUp } from "./set_up.ts";

/** How long the group may take to end all tasks after the last restart. */
const MAX_SECONDS = 10;

if (!await setUp()) Deno.exit(1);
const minutes = Number(Deno.args[0] ?? 10);
let seed = Number(Deno.args[1] ?? Math.floor(Math.random() * 1e6));
console.log("a broker that crashes ten times …");
const seconds = await crashRun(10);
console.log(
  `all has ended ${seconds.toFixed(1)} s after the last restart`,
);
if (seconds > MAX_SECONDS) {
  console.error(`more than ${MAX_SECONDS} s`);
  Deno.exit(1);
}
console.log("ten power cuts …");
await powerCuts(10);
console.log("locks, everyone, and a schedule …");
console.log(await lockedRun({ tasks: 60 }));
console.log(await everyoneRun({ workers: 5, awaySeconds: 20 }));
console.log(await scheduledRun({ times: 30 }));
const end = Date.now() + minutes * 60_000;
let runs = 0;
do {
  console.log(`seed ${seed} …`);
  try {
    console.log(await randomRun(seed++, { tasks: 300 }));
  } catch (error) {
    // Deno shows none of the errors in this one.
    let inner: unknown = error;
    for (; inner instanceof SuppressedError; inner = inner.suppressed) {
      console.error(inner.error);
    }
    console.error(inner);
    Deno.exit(1);
  }
  runs++;
} while (Date.now() < end);
console.log(`${runs} runs, all promises kept`);

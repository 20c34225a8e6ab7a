// deno-lint-ignore-file no-console
/**
 * `deno task soak [MINUTES [SEED]]`: random runs, one seed after another, until
 * the time is over (default: 10 minutes) or a promise is broken.
 *
 * @module
 */
import { randomRun } from "../tests/faults/random_run.ts";
import { setUp } from "./set_up.ts";

if (!await setUp()) Deno.exit(1);
const minutes = Number(Deno.args[0] ?? 10);
let seed = Number(Deno.args[1] ?? Math.floor(Math.random() * 1e6));
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

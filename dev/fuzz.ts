// deno-lint-ignore-file no-console
/**
 * `deno task fuzz [CASES [SEED]]`: tries everything that takes what others have
 * written with random and nearly valid input (default: 100,000 cases).
 *
 * @module
 */
import { fuzz, targets } from "../tests/fuzz/targets.ts";

const cases = Number(Deno.args[0] ?? 100_000);
const seed = Number(Deno.args[1] ?? Math.floor(Math.random() * 2 ** 31));
if (!Number.isInteger(cases) || cases < 1 || !Number.isInteger(seed)) {
  console.error("Usage: deno task fuzz [CASES [SEED]]");
  Deno.exit(2);
}
console.log(`${cases} cases, seed ${seed}`);
let all = 0;
for (const target of targets) {
  const mine = Math.ceil(cases * target.share / 100);
  const since = performance.now();
  let done = 0;
  let lastTenth = 0;
  await fuzz(target, {
    cases: mine,
    seed,
    onProgress(more) {
      done += more;
      const tenth = Math.floor(10 * done / mine);
      if (tenth === lastTenth) return;
      lastTenth = tenth;
      const seconds = ((performance.now() - since) / 1000).toFixed(0);
      console.log(`${target.name}: ${done} of ${mine} (${seconds} s)`);
    },
  });
  all += done;
}
console.log(`${all} cases passed`);

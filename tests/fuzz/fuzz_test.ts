/** A few thousand cases; `deno task fuzz` tries more. */
import { fuzz, targets } from "./targets.ts";

const CASES = 3000;

for (const target of targets) {
  Deno.test(`whatever comes, nothing but the documented error: ${target.name}`, async () => {
    const seed = Math.floor(Math.random() * 2 ** 31);
    await fuzz(target, { cases: CASES * target.share / 100, seed });
  });
}

import { randomRun } from "./random_run.ts";

/** One of all runs that `deno task soak` may try, with more tasks. */
const SEED = 1;

Deno.test({
  name: "60 tasks amid kills, cuts and restarts keep every promise",
  sanitizeOps: true,
  sanitizeResources: true,
  async fn() {
    console.log(await randomRun(SEED, { tasks: 60, apart: 0.75 }));
  },
});

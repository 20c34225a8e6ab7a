import { randomRun } from "./random_run.ts";

for (const seed of [1, 2, 3]) {
  Deno.test({
    name:
      `300 tasks amid kills, cuts and restarts keep every promise (seed ${seed})`,
    sanitizeOps: true,
    sanitizeResources: true,
    async fn() {
      console.log(await randomRun(seed, { tasks: 300 }));
    },
  });
}

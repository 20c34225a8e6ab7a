import { backlogRun } from "./backlog_run.ts";

Deno.test({
  name: "1,000 requests that came while the only worker was down are all run",
  sanitizeOps: true,
  sanitizeResources: true,
  async fn() {
    console.log(await backlogRun(1000));
  },
});

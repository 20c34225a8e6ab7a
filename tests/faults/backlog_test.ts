import { backlogRun } from "./backlog_run.ts";

Deno.test({
  name: "200 requests that came while the only worker was down are all run",
  sanitizeOps: true,
  sanitizeResources: true,
  async fn() {
    const { seconds, before, most, obeyed } = await backlogRun(200);
    console.log(
      `${seconds.toFixed(0)} s; the worker had ${
        before.toFixed(0)
      } MB at first, ${most.toFixed(0)} MB at most; a cancel was obeyed in ${
        (obeyed * 1000).toFixed(0)
      } ms`,
    );
  },
});

/**
 * A worker that stops dead after one step, for the tests to kill it there. It is
 * the worker itself, with the hook that reports each step.
 *
 * Arguments: `STEP -c FILE`.
 *
 * @module
 */
import { loadConfig } from "../../src/config/mod.ts";
import { Log } from "../../src/log.ts";
import { runWorker } from "../../src/worker/worker.ts";

const [step, , file] = Deno.args as [string, string, string];
const say = (line: string) => {
  Deno.stderr.writeSync(new TextEncoder().encode(line + "\n"));
};
const config = await loadConfig(file);
const log = new Log({ level: "DEBUG", format: "text", write: say });
Deno.exit(
  await runWorker(config, {
    log,
    secretFiles: [],
    reload: () => loadConfig(file),
    onStep(reached) {
      if (reached !== step) return;
      say(`reached ${step}`);
      // Nothing more happens in this process, not even to its connections.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
    },
  }),
);

/**
 * A worker with what only tests may set: it is the worker itself, started with
 * the options that users do not have.
 *
 * Arguments: `OPTIONS -c FILE`, with `InnerOptions` as JSON.
 *
 * @module
 */
import { loadConfig } from "../../src/config/mod.ts";
import { Log } from "../../src/log.ts";
import type { Timing } from "../../src/worker/timing.ts";
import { runWorker } from "../../src/worker/worker.ts";

/** What it does differently. */
export interface InnerOptions {
  /** It stops dead after this step, for the test to kill it there. */
  stopAfter?: string;
  timing?: Partial<Timing>;
}

if (import.meta.main) {
  const [options, , file] = Deno.args as [string, string, string];
  const { stopAfter, timing } = JSON.parse(options) as InnerOptions;
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
        if (reached !== stopAfter) return;
        say(`reached ${reached}`);
        // Nothing more happens in this process, not even to its connections.
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
      },
      ...(timing ? { timing } : {}),
    }),
  );
}

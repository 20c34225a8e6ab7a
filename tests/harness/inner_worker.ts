/**
 * The worker itself, with what only a program that calls `runWorker` can reach:
 * other waits than all workers keep to, and a step after which it stops dead, for
 * the tests to kill it there.
 *
 * Arguments: an `Inner` as JSON, `-c`, the configuration file.
 *
 * @module
 */
import { loadConfig } from "../../src/config/mod.ts";
import { Log } from "../../src/log.ts";
import type { Step } from "../../src/worker/assemble.ts";
import { runWorker } from "../../src/worker/worker.ts";
import type { Timing } from "../../src/worker/timing.ts";

/** What a test may set from within. */
export interface Inner {
  /** What is other than `TIMING`. */
  timing?: Partial<Timing>;
  /** The step after which nothing more happens. */
  lastStep?: Step;
}

if (import.meta.main) {
  const [text, , file] = Deno.args as [string, string, string];
  const { timing, lastStep } = JSON.parse(text) as Inner;
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
        if (reached !== lastStep) return;
        say(`reached ${reached}`);
        // Nothing more happens in this process, not even to its connections.
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
      },
      ...(timing && { timing }),
    }),
  );
}

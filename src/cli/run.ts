/**
 * `ansible-worker`: runs the worker until a signal stops it.
 *
 * @module
 */
import { type Config, ConfigError, loadConfig } from "../config/mod.ts";
import { Log } from "../log.ts";
import { print } from "./output.ts";

/** Runs the worker; returns the exit code. */
export async function run(file: string): Promise<number> {
  let config: Config;
  try {
    config = await loadConfig(file);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    print(Deno.stderr, `${error.message}\n`);
    return 1;
  }
  const log = new Log({
    level: config.log_level,
    format: config.log_format,
    write: (line) => print(Deno.stderr, `${line}\n`),
  });
  log.redact(secretsOf(config));
  // Only now: checking a configuration needs neither MQTT nor Ansible.
  const { runWorker } = await import("../worker.ts");
  try {
    return await runWorker(config, {
      log,
      reload: async () => {
        const changed = await loadConfig(file);
        log.redact(secretsOf(changed));
        return changed;
      },
    });
  } catch (error) {
    // Deno would print it by itself, but with the secrets in it.
    log.error("the worker stops because of a fault in it", {
      error: error instanceof Error ? error.stack : error,
    });
    return 1;
  }
}

/** What must not be in any log. */
function secretsOf({ mqtt }: Config): string[] {
  return mqtt.password === undefined ? [] : [mqtt.password];
}

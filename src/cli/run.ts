// deno-lint-ignore-file no-console
/**
 * `ansible-worker`: runs the worker until a signal stops it.
 *
 * @module
 */
import { ConfigError, loadConfig } from "../config/mod.ts";
import { Log } from "../log.ts";

/** Runs the worker; returns the exit code. */
export async function run(file: string): Promise<number> {
  let config;
  try {
    config = await loadConfig(file);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    console.error(error.message);
    return 1;
  }
  const { password } = config.mqtt;
  const log = new Log({
    level: config.log_level,
    format: config.log_format,
    write: (line) => console.error(line),
    secrets: password === undefined ? [] : [password],
  });
  // Only now: checking a configuration needs neither MQTT nor Ansible.
  const { runWorker } = await import("../worker.ts");
  return await runWorker(config, { log, reload: () => loadConfig(file) });
}

/**
 * `ansible-worker`: runs the worker until a signal stops it.
 *
 * @module
 */
import {
  type Config,
  ConfigError,
  load,
  loadConfig,
  type Loaded,
  MAX_COUNTED_EXPIRY,
  reviewSandbox,
} from "../config/mod.ts";
import { Log, PRIORITIES } from "../log.ts";
import { EXIT_CONFIGURATION } from "./exit_codes.ts";
import { isJournal } from "./journal.ts";
import { print } from "./output.ts";
import { sayDenied, warnOfOpenFiles } from "./start_log.ts";

/** Runs the worker; returns the exit code. */
export async function run(file: string): Promise<number> {
  let loaded: Loaded;
  try {
    loaded = await load(file);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    // Not by a log: how that is to be written is not known yet.
    const begin = isJournal() ? PRIORITIES.ERROR : "";
    for (const line of error.message.split("\n")) {
      print(Deno.stderr, `${begin}${line}\n`);
    }
    return EXIT_CONFIGURATION;
  }
  const { config } = loaded;
  const log = new Log({
    level: config.log_level,
    format: config.log_format,
    journal: isJournal(),
    write: (line) => print(Deno.stderr, `${line}\n`),
  });
  log.redact(secretsOf(config));
  if (!await mayRun(loaded, { file, log })) return EXIT_CONFIGURATION;
  await warnOfOpenFiles(loaded.secretFiles, log);
  if (config.worker.status_retention > MAX_COUNTED_EXPIRY) {
    log.warn(
      `worker.status_retention is more than ${MAX_COUNTED_EXPIRY} s, which some brokers cannot count: they drop a final status at once`,
    );
  }
  // Only now: checking a configuration needs neither MQTT nor Ansible.
  const { runWorker } = await import("../worker/worker.ts");
  try {
    return await runWorker(config, {
      log,
      secretFiles: loaded.secretFiles.map(({ path }) => path),
      reload: async () => {
        const changed = await loadConfig(file);
        log.redact(secretsOf(changed));
        return changed;
      },
    });
  } catch (error) {
    if (error instanceof ConfigError) {
      log.error(error.message);
      return EXIT_CONFIGURATION;
    }
    // Deno would print it by itself, but with the secrets in it.
    log.error("internal error; stopping", {
      error: error instanceof Error ? error.stack : error,
    });
    return 1;
  }
}

/**
 * Whether the sandbox allows what the configuration needs. It is asked before
 * anything is tried: MQTT.js says nothing when the sandbox denies it the network.
 */
async function mayRun(
  loaded: Loaded,
  { file, log }: { file: string; log: Log },
): Promise<boolean> {
  const { denied, unneeded } = await reviewSandbox(loaded, { file });
  sayDenied(denied, { log, started: "the worker" });
  if (unneeded.length > 0) {
    // What is compiled in, nobody can change by another flag.
    log[Deno.build.standalone ? "debug" : "info"](
      `the sandbox allows more than is needed; "ansible-worker permissions -c ${file}" prints what is`,
      { not_needed: unneeded.join(" ") },
    );
  }
  return denied.length === 0;
}

/** The shortest value of a run's environment that is taken for a secret. */
const MIN_SECRET_LENGTH = 8;

/** What must not be in any log. */
function secretsOf({ ansible, content, mqtt }: Config): string[] {
  const values = Object.values(ansible.environment)
    .filter((value) => value.length >= MIN_SECRET_LENGTH);
  return [
    mqtt.password,
    content?.password,
    ansible.vault_password,
    ...values,
  ]
    .filter((text) => text !== undefined);
}

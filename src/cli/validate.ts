// deno-lint-ignore-file no-console
/**
 * `ansible-worker --validate`: is the configuration valid?
 *
 * @module
 */
import { ConfigError, loadConfig } from "../config/mod.ts";

/** Says so, or what is wrong; returns the exit code. */
export async function validate(file: string): Promise<number> {
  try {
    await loadConfig(file);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    console.error(error.message);
    return 1;
  }
  console.log(`${file}: the configuration is valid`);
  return 0;
}

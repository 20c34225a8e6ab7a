/**
 * `ansible-worker --validate`: is the configuration valid?
 *
 * @module
 */
import { ConfigError, loadConfig, ownHome } from "../config/mod.ts";
import { print } from "./output.ts";

/** Says so, or what is wrong; returns the exit code. */
export async function validate(file: string): Promise<number> {
  try {
    await loadConfig(file);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    print(Deno.stderr, `${error.message}\n`);
    return 1;
  }
  const home = await ownHome();
  if (home?.problem) print(Deno.stderr, `warning: ${home.problem}\n`);
  print(Deno.stdout, `${file}: the configuration is valid\n`);
  return 0;
}

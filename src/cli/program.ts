/**
 * The command line: what it takes, and what its exit codes mean.
 *
 * | code | meaning |
 * | --- | --- |
 * | 0 | done |
 * | 1 | a problem with the configuration, or at the start |
 * | 2 | the command line is wrong |
 *
 * @module
 */
import { Command, CommanderError } from "commander";
import { print } from "./output.ts";
import { run } from "./run.ts";
import { validate } from "./validate.ts";
import { version } from "./version.ts";

/**
 * Does what the arguments say.
 *
 * @param args without the program itself
 * @returns the exit code of the process
 */
export async function main(args: string[]): Promise<number> {
  const program = new Command("ansible-worker")
    .description(
      "Runs Ansible playbooks that are asked for by MQTT, and publishes their progress.",
    )
    .option("-c, --config <file>", "configuration file", "config.yaml")
    .option("--validate", "check the configuration, and exit")
    .version(version, "--version", "print the version, and exit")
    .helpOption("-h, --help", "print this help, and exit")
    .addHelpText(
      "after",
      `
Example:
  ansible-worker --validate -c config.yaml && ansible-worker -c config.yaml

Exit codes: 0 done; 1 a problem with the configuration or at the start;
2 a wrong command line. Every key is explained in config.example.yaml.`,
    )
    .allowExcessArguments(false)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => print(Deno.stdout, text),
      writeErr: (text) => print(Deno.stderr, text),
    })
    .showHelpAfterError("(--help shows what can be given)");
  try {
    program.parse(args, { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return error.exitCode === 0 ? 0 : 2;
  }
  const { config, validate: only } = program.opts<
    { config: string; validate?: boolean }
  >();
  return only ? await validate(config) : await run(config);
}

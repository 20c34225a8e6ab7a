/**
 * The options that every client command takes.
 *
 * @module
 */
import type { Command } from "commander";
import type { ClientFlags } from "../config/mod.ts";

/** What every client command takes. */
export interface ClientOptions extends ClientFlags {
  /** Print messages, not text. */
  json?: boolean;
}

/** The same, as every help says it. */
export const CLIENT_HELP =
  `Broker: -c FILE (config.yaml), or --host HOST [--port N] [--username NAME
  --password-env VARIABLE] [--tls] [--ca FILE] [--group NAME] [--prefix LEVELS]`;

/** Adds them to a command. */
export function addClientOptions(command: Command): Command {
  return command
    .option("--host <host>")
    .option("--port <port>")
    .option("--username <name>")
    .option("--password-env <variable>")
    .option("--tls")
    .option("--ca <file>")
    .option("--group <name>")
    .option("--prefix <levels>")
    .option("--json");
}

/** What was given. */
export function clientOptions<T extends object>(
  command: Command,
): T & ClientOptions {
  const program = command.parent!;
  // `-c` is the program's; where it was not given, the flags may do without.
  const isGiven = program.getOptionValueSource("config") === "cli";
  return {
    ...command.opts(),
    ...(isGiven && { config: program.opts().config }),
  };
}

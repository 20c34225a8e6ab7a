/**
 * The command line: what it takes, and what its exit codes mean.
 *
 * | code | meaning |
 * | --- | --- |
 * | 0 | done |
 * | 1 | a problem with the configuration, or at the start |
 * | 2 | the command line is wrong |
 * | 78 | the worker cannot start with this configuration, or in this sandbox |
 *
 * `submit` has codes of its own. What a command does is loaded when it is asked
 * for.
 *
 * @module
 */
import { Argument, Command, CommanderError, Option } from "commander";
import { addClientCommands } from "./client_commands.ts";
import { addWebCommands } from "./web_commands.ts";
import { FORMATS, PROGRAMS, SHELLS, SUBJECTS } from "./choices.ts";
import { print } from "./output.ts";
import { version } from "../version.ts";

const COMMANDS_HELP = `
Commands, each with a --help of its own:
  submit, cancel         have a playbook run by a worker of the group; end a run
  watch, output          see tasks live; see what one prints
  tasks, workers, templates   list the group's tasks, workers and templates
  web, doctor, refresh   the page; look for what is wrong, for new playbooks
  permissions, keygen    narrow permissions for a worker; a key to sign with
  schema, completions    what messages look like; completions for a shell

Example:
  ansible-worker --validate -c config.yaml && ansible-worker -c config.yaml

Exit codes: 0 done; 1 a problem; 2 a wrong command line; 78 the worker cannot
start with this configuration. Every key is explained in config.example.yaml.`;

/**
 * Does what the arguments say.
 *
 * @param args without the program itself
 * @returns the exit code of the process
 */
export async function main(args: string[]): Promise<number> {
  let code: Promise<number> | number = 0;
  const program = new Command("ansible-worker")
    .description(
      "Runs Ansible playbooks that are asked for by MQTT, and publishes their progress.",
    )
    .option("-c, --config <file>", "configuration file", "config.yaml")
    .option("--validate", "check the configuration, and exit")
    .version(version, "--version", "print the version, and exit")
    .helpOption("-h, --help", "print this help, and exit")
    .helpCommand(false)
    // Named below, by what they are for.
    .configureHelp({ visibleCommands: () => [] })
    .addHelpText("after", COMMANDS_HELP)
    .allowExcessArguments(false)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => print(Deno.stdout, text),
      writeErr: (text) => print(Deno.stderr, text),
    })
    .showHelpAfterError("(--help shows what can be given)")
    .action(({ config, validate: only }) => {
      code = only
        ? import("./validate.ts").then(({ validate }) => validate(config))
        : import("./run.ts").then(({ run }) => run(config));
    });
  program.command("permissions")
    .description("print the narrowest permissions for a configuration")
    .option("-c, --config <file>", "configuration file", "config.yaml")
    .addOption(
      new Option(
        "-f, --format <format>",
        "a command line, a unit file, a permission set for deno.json, or the line that compiles it",
      ).choices(FORMATS).default("flags"),
    )
    .addOption(
      new Option("--for <program>", "the worker, or the page").choices(PROGRAMS)
        .default("worker"),
    )
    .option(
      "--become",
      "with --format systemd: a drop-in for the unit, so that playbooks may become root on this host",
      false,
    )
    .allowExcessArguments(false)
    .action(({ format, become, for: program }, command: Command) => {
      const { config } = command.optsWithGlobals();
      code = import("./permissions.ts").then(({ permissions }) =>
        permissions(config, { format, become, program })
      );
    });
  program.command("keygen")
    .description("make a key to sign requests with")
    .option("--id <id>", "the id of the new key", "controller")
    .option("--public <file>", "print the public half of this one instead")
    .allowExcessArguments(false)
    .action(({ id, public: file }) => {
      code = import("./keygen.ts").then(({ keygen, publicHalf }) =>
        file === undefined ? keygen(id) : publicHalf(file)
      );
    });
  addWebCommands(program, (running) => code = running);
  addClientCommands(program, (running) => code = running);
  program.command("schema")
    .description("print the schema of messages, or of the configuration")
    .addArgument(
      new Argument("<what>", "what it is to describe").choices(SUBJECTS),
    )
    .allowExcessArguments(false)
    .addHelpText(
      "after",
      `
Example, for an editor that completes and checks config.yaml:
  ansible-worker schema config > config.schema.json
and as the first line of config.yaml:
  # yaml-language-server: $schema=config.schema.json`,
    )
    .action((what: string) => {
      code = import("./schema.ts").then(({ schema }) => schema(what));
    });
  program.command("doctor")
    .description("look for what is wrong, and say what to do")
    .option("-c, --config <file>", "configuration file", "config.yaml")
    .option("--json", "one JSON object a line", false)
    .allowExcessArguments(false)
    .action(({ json }, command: Command) => {
      const { config } = command.optsWithGlobals();
      code = import("./doctor.ts").then(({ doctor }) =>
        doctor(config, { json })
      );
    });
  program.command("completions")
    .description("print completions for a shell")
    .addArgument(new Argument("<shell>").choices(SHELLS))
    .allowExcessArguments(false)
    .action((shell) => {
      code = import("./completions.ts").then(({ completions }) =>
        completions(program, shell)
      );
    });
  try {
    const [first] = args;
    if (
      first !== undefined && !first.startsWith("-") &&
      !program.commands.some((command) => command.name() === first)
    ) {
      program.error(
        `error: there is no command ${
          JSON.stringify(first)
        }; a configuration is named with -c FILE`,
      );
    }
    program.parse(args, { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    // The library's own code for it is 1.
    return error.exitCode === 1 ? 2 : error.exitCode;
  }
  return await code;
}

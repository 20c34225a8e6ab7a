/**
 * The commands of the page. What they do is loaded when it is asked for: nothing
 * else of the program has the page in memory.
 *
 * @module
 */
import { type Command, Option } from "commander";

const ROLES = ["viewer", "operator"] as const;

const EXAMPLE = `
Example, with web.users in config.yaml:
  ansible-worker web passwd alice --role operator -c config.yaml
  ansible-worker web -c config.yaml`;

/**
 * Adds them to the program.
 *
 * @param run gets what a command does, and its exit code
 */
export function addWebCommands(
  program: Command,
  run: (code: Promise<number>) => void,
): void {
  const page = program.command("web")
    .description("serve the page of a group, until a signal comes")
    .option("-c, --config <file>", "configuration file", "config.yaml")
    .helpCommand(false)
    .allowExcessArguments(false)
    .addHelpText("after", EXAMPLE)
    .action((_, command: Command) => {
      const { config } = command.optsWithGlobals();
      run(import("./web.ts").then(({ web }) => web(config)));
    });
  page.command("passwd")
    .description("add a user, or give one another password")
    .argument("<name>", "the user")
    .option("-c, --config <file>", "configuration file", "config.yaml")
    .addOption(
      new Option("--role <role>", "what the user may do").choices(ROLES),
    )
    .allowExcessArguments(false)
    .action((name: string, { role }, command: Command) => {
      const { config } = command.optsWithGlobals();
      run(
        import("./web.ts").then(({ passwd }) => passwd(name, { config, role })),
      );
    });
  page.command("backup")
    .description("write a copy of the page's database, also while it runs")
    .argument("<file>", "the copy")
    .option("-c, --config <file>", "configuration file", "config.yaml")
    .allowExcessArguments(false)
    .action((file: string, _, command: Command) => {
      const { config } = command.optsWithGlobals();
      run(import("./web.ts").then(({ backup }) => backup(file, { config })));
    });
}

/**
 * The commands for those who use a group: what they take, and their help, which
 * fits on a screen.
 *
 * @module
 */
import { type Command, Option } from "commander";
import type { CancelOptions } from "./cancel.ts";
import {
  addClientOptions,
  CLIENT_HELP,
  clientOptions,
} from "./client_options.ts";
import { EXIT } from "./exit_codes.ts";
import type { SubmitOptions } from "./submit.ts";
import type { TemplatesOptions } from "./templates.ts";
import type { WorkersOptions } from "./workers.ts";

const SUBMIT_HELP =
  `Usage: ansible-worker submit PLAYBOOK -i INVENTORY [options]

Has a worker of the group run a playbook, and follows it.

  -i, --inventory FILE   an inventory of the worker's, or hosts with a comma
  -e, --extra-vars VARS  NAME=VALUE, a JSON object, or @FILE (YAML, JSON)
  -l, --limit HOSTS      -t, --tags TAGS   --skip-tags TAGS   -f, --forks N
  -C, --check   -D, --diff   -v to -vvvvvv   --timeout SECONDS   --lock NAME
  --id TASK_ID           your own; again, it runs once      --revision COMMIT
  --template NAME | --retry TASK_ID   instead of PLAYBOOK and -i
  --worker ID | --everyone   that worker alone, or each of the group
  --follow | --detach    to the end (default), or until a worker has it
  --json  messages, one a line   --key FILE  sign with it   --cancel-on-signal

${CLIENT_HELP}

Exit code: 0 success; 1 to 99 that of ansible-playbook; 100 failed otherwise;
  101 cancelled; 102 time limit; 103 rejected; 104 no worker took it; 105 no
  connection; 106 wrong command line or configuration; 130 left by a signal

Example:
  ansible-worker submit site.yml -i hosts.ini -e release=1.4.2 --limit web
`;

const WATCH_HELP = `Usage: ansible-worker watch [TASK_ID…] [options]

Shows the tasks of the group, live; those that are named, until they have ended.
In a pipe, it writes a line for each change.

  --json   the messages as they are, one object a line

${CLIENT_HELP}

Exit code: with names that of "submit", the highest of them, and 130 at Ctrl-C;
  else 0 Ctrl-C; 1 no connection; 2 wrong usage

Example:
  ansible-worker watch
`;

const TASKS_HELP = `Usage: ansible-worker tasks [options]

Lists the tasks of the group: what runs, what waits, and what has ended, for as
long as the broker keeps it (worker.status_retention).

  --json   the messages as they are, one object a line

${CLIENT_HELP}

Exit code: 0 done; 1 no connection; 2 wrong usage

Example:
  ansible-worker tasks --json | jq -r 'select(.state == "failed") | .task_id'
`;

const WORKERS_HELP = `Usage: ansible-worker workers [options]

Lists the workers of the group: their slots, what waits there, their versions.

  --names   the ids alone, of those that are there or only away
  --json    the messages as they are, one object a line

${CLIENT_HELP}

Exit code: 0 done; 1 no connection; 2 wrong usage

Example:
  ansible-worker workers
`;

const REFRESH_HELP = `Usage: ansible-worker refresh [options]

Has the workers of the group look at their repositories now, and names those
that have one, with the commit that they use at this moment.

  --json   their presences, one object a line

${CLIENT_HELP}

Exit code: 0 they are asked; 1 no connection; 2 wrong usage

Example:
  ansible-worker refresh
`;

const TEMPLATES_HELP = `Usage: ansible-worker templates [options]

Lists what may be asked for by name in the group: with which variables, what
else a request may set, and which workers have it.

  --names   the names alone
  --json    one object a line, each with the JSON Schema of its variables

${CLIENT_HELP}

Exit code: 0 done; 1 no connection; 2 wrong usage

Example:
  ansible-worker templates
`;

const CANCEL_HELP = `Usage: ansible-worker cancel TASK_ID… [options]

Has tasks ended, waits for it, and says what became of each.

  --reason TEXT   told in the status of the task
  --key FILE      sign with a key made by "ansible-worker keygen"
  --json          the messages as they are, one object a line

${CLIENT_HELP}

Exit code: 0 all are cancelled; 1 not all are, or no connection; 2 wrong usage;
  130 left by Ctrl-C

Example:
  ansible-worker cancel 20260504-120000-ab12cd --reason "wrong release"
`;

const OUTPUT_HELP = `Usage: ansible-worker output TASK_ID [options]

Prints what ansible-playbook prints in a task, until its end, if the worker
publishes it (worker.publish_output). What was printed before is not kept.

  --json   the messages as they are, one object a line

${CLIENT_HELP}

Exit code: 0 done; 1 nothing or not all received, or no connection; 2 wrong
  usage; 130 left by Ctrl-C

Example:
  ansible-worker output 20260504-120000-ab12cd
`;

/**
 * Adds them to the program.
 *
 * @param run gets what a command does, and its exit code
 */
export function addClientCommands(
  program: Command,
  run: (code: Promise<number>) => void,
): void {
  const add = (usage: string, help: string) => {
    const command = addClientOptions(program.command(usage, { hidden: true }))
      .description(help.split("\n")[2]!)
      .allowExcessArguments(false);
    command.helpInformation = () => help;
    return command;
  };

  let verbosity = 0;
  add("submit [playbook]", SUBMIT_HELP)
    .option("-i, --inventory <file>", "", append, [])
    .option("-e, --extra-vars <vars>", "", append, [])
    .option("-l, --limit <hosts>")
    .option("-t, --tags <tags>", "", append, [])
    .option("--skip-tags <tags>", "", append, [])
    .option("-f, --forks <n>")
    .option("-C, --check")
    .option("-D, --diff")
    .option("-v, --verbose")
    .on("option:verbose", () => verbosity++)
    .option("--timeout <seconds>")
    .option("--revision <commit>")
    .option("--lock <lock>")
    .option("--id <task_id>")
    .option("--template <template>")
    .option("--retry <task_id>")
    .option("--worker <worker>")
    .addOption(new Option("--everyone").conflicts("worker"))
    .option("--key <file>")
    .option("--follow")
    .addOption(new Option("--detach").conflicts("follow"))
    .option("--cancel-on-signal")
    // 1 and 2 are exit codes of ansible-playbook's, too.
    .exitOverride((error) => {
      if (error.exitCode !== 0) error.exitCode = EXIT.usage;
      throw error;
    })
    .action((playbook: string | undefined, _, command: Command) => {
      const options = {
        ...clientOptions<SubmitOptions>(command),
        ...(playbook !== undefined && { playbook }),
        verbosity,
      };
      run(import("./submit.ts").then(({ submit }) => submit(options)));
    });

  add("watch [task_ids...]", WATCH_HELP)
    .action((taskIds: string[], _, command: Command) => {
      const options = clientOptions(command);
      run(import("./watch.ts").then(({ watch }) => watch(taskIds, options)));
    });

  add("tasks", TASKS_HELP).action((_, command: Command) => {
    const options = clientOptions(command);
    run(import("./tasks.ts").then(({ tasks }) => tasks(options)));
  });

  add("workers", WORKERS_HELP)
    .option("--names")
    .action((_, command: Command) => {
      const options = clientOptions<WorkersOptions>(command);
      run(import("./workers.ts").then(({ workers }) => workers(options)));
    });

  add("refresh", REFRESH_HELP).action((_, command: Command) => {
    const options = clientOptions(command);
    run(import("./refresh.ts").then(({ refresh }) => refresh(options)));
  });

  add("templates", TEMPLATES_HELP)
    .option("--names")
    .action((_, command: Command) => {
      const options = clientOptions<TemplatesOptions>(command);
      run(import("./templates.ts").then(({ templates }) => templates(options)));
    });

  add("cancel <task_ids...>", CANCEL_HELP)
    .option("--reason <text>")
    .option("--key <file>")
    .action((taskIds: string[], _, command: Command) => {
      const options = clientOptions<CancelOptions>(command);
      run(import("./cancel.ts").then(({ cancel }) => cancel(taskIds, options)));
    });

  add("output <task_id>", OUTPUT_HELP)
    .action((taskId: string, _, command: Command) => {
      const options = clientOptions(command);
      run(
        import("./task_output.ts").then(({ output }) =>
          output(taskId, options)
        ),
      );
    });
}

function append(value: string, earlier: string[]): string[] {
  return [...earlier, value];
}

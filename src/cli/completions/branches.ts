/**
 * The commands and options of a program, as completions need them.
 *
 * @module
 */
import type { Argument, Command, Option } from "commander";

/** One command, with what may follow it. */
export interface Branch {
  /** The words that lead to it, without the program: `[]` is the program. */
  path: string[];
  /** Commands below it. */
  commands: Word[];
  /** Its options, those of the program among them. */
  options: (Word & { flags: string[]; value: Value | null })[];
  /** Its arguments. */
  arguments: Value[];
}

/** A word to choose, and what it means. */
export interface Word {
  /** The word. */
  name: string;
  /** What it means. */
  description: string;
}

/** What may stand for a value. */
export type Value =
  | { kind: "choices"; choices: string[] }
  | { kind: "file" }
  | { kind: "names"; of: "templates" | "workers" }
  | { kind: "anything" };

/** The program and all its commands, each with what may follow it. */
export function branchesOf(program: Command, path: string[] = []): Branch[] {
  const help = program.createHelp();
  const own = help.visibleOptions(program);
  // The program's `-c` says it too, wherever it stands.
  const config = own.some(({ long }) => long === "--host")
    ? program.parent!.options.filter(({ long }) => long === "--config")
    : [];
  // All of them: the program's own help names them in a way of its own.
  const { commands } = program;
  return [
    {
      path,
      commands: commands.map((command) => ({
        name: command.name(),
        description: help.subcommandDescription(command),
      })),
      options: [...config, ...own].map((option) => ({
        name: option.long ?? option.short ?? option.flags,
        description: option.description,
        flags: [option.short, option.long].filter((flag) => flag !== undefined),
        value: valueOfOption(option),
      })),
      arguments: program.registeredArguments.map(valueOfArgument),
    },
    ...commands.flatMap((command) =>
      branchesOf(command, [...path, command.name()])
    ),
  ];
}

function valueOfOption(option: Option): Value | null {
  if (!option.required && !option.optional) return null;
  return valueOf(option.argChoices, option.flags);
}

function valueOfArgument(argument: Argument): Value {
  return valueOf(argument.argChoices, argument.name());
}

function valueOf(choices: readonly string[] | undefined, name: string): Value {
  if (choices) return { kind: "choices", choices: [...choices] };
  const named = /<(template|worker)>/.exec(name)?.[1];
  if (named) return { kind: "names", of: `${named as "template" | "worker"}s` };
  return {
    kind: /file|path|playbook|inventory/i.test(name) ? "file" : "anything",
  };
}

/** The shell function that prints names, a line each. */
export function namesFunction(program: string): string {
  return `${functionName(program)}_names`;
}

/**
 * The options that say where a group is: what prints names is to look where the
 * command itself would.
 */
export function placeOptions(branches: readonly Branch[]): {
  /** Those with a value in the next word. */
  valued: string[];
  /** Those with a value in the same word, as far as the `=` before it. */
  joined: string[];
  /** Those without. */
  plain: string[];
} {
  const { options } = branches.find(({ path }) => path[0] === "templates")!;
  const place = options.filter(({ name }) =>
    !["--json", "--names", "--help"].includes(name)
  );
  const flagsOf = (isValued: boolean) =>
    place.filter(({ value }) => (value !== null) === isValued)
      .flatMap(({ flags }) => flags);
  const valued = flagsOf(true);
  return {
    valued,
    joined: valued.filter((flag) => flag.startsWith("--"))
      .map((flag) => `${flag}=`),
    plain: flagsOf(false),
  };
}

/** A text in single quotes, for any of the shells. */
export function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

/** The name of a shell function. */
export function functionName(name: string): string {
  return `_${name.replaceAll(/\W/g, "_")}`;
}

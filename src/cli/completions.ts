/**
 * `ansible-worker completions`: completions for a shell, made from the commands
 * and options that this program really has.
 *
 * @module
 */
import type { Command } from "commander";
import type { SHELLS } from "./choices.ts";
import { bash } from "./completions/bash.ts";
import { branchesOf } from "./completions/branches.ts";
import { fish } from "./completions/fish.ts";
import { zsh } from "./completions/zsh.ts";
import { print } from "./output.ts";

/** Prints the completions of a program. */
export function completions(
  program: Command,
  shell: typeof SHELLS[number],
): number {
  const name = program.name();
  const branches = branchesOf(program);
  const make = { bash, zsh, fish }[shell];
  print(Deno.stdout, make(name, branches));
  return 0;
}

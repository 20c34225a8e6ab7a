/**
 * The client commands as users start them: a process of its own, under exactly
 * the flags of `deno task client`, in a pipe or in a terminal.
 *
 * @module
 */
import { clientArguments } from "../../dev/programs.ts";
import type { Project } from "./project.ts";
import { Terminal, type TerminalOptions } from "./terminal.ts";
import { within } from "./waiting.ts";

/** What came of a command. */
export interface Result {
  code: number;
  stdout: string;
  stderr: string;
}

/** Where a group of the tests is. */
export function at(port: number, group = "test"): string[] {
  return ["--host", "127.0.0.1", "--port", String(port), "--group", group];
}

/** Runs a command in a pipe, to its end. */
export async function run(
  args: string[],
  options: { cwd?: string; env?: Record<string, string> } = {},
): Promise<Result> {
  await using command = new Piped(args, options);
  const code = await within(() => command.text, command.exited);
  return { code, stdout: command.stdout, stderr: command.stderr };
}

/** A command in a pipe. */
export class Piped implements AsyncDisposable {
  stdout = "";
  stderr = "";
  /** Settles when it has ended, and all that it has written is read. */
  readonly exited: Promise<number>;
  readonly #child: Deno.ChildProcess;
  readonly #listeners = new Set<() => void>();

  constructor(
    args: string[],
    options: { cwd?: string; env?: Record<string, string> } = {},
  ) {
    this.#child = new Deno.Command(Deno.execPath(), {
      args: [...clientArguments(), ...args],
      ...options,
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.exited = Promise.all([
      this.#child.status,
      this.#read("stdout"),
      this.#read("stderr"),
    ]).then(([{ code }]) => code);
  }

  /** All that it has written. */
  get text(): string {
    return this.stdout + this.stderr;
  }

  /** Settles when it has written what fits. */
  async shows(fits: RegExp): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const listener = () => {
      if (fits.test(this.text)) resolve();
    };
    this.#listeners.add(listener);
    listener();
    await within(() => `${fits} in:\n${this.text}`, promise)
      .finally(() => this.#listeners.delete(listener));
  }

  /** Ctrl-C. */
  interrupt(): void {
    this.signal("SIGINT");
  }

  /** Sends it a signal. */
  signal(signal: Deno.Signal): void {
    this.#child.kill(signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#child.kill("SIGKILL");
    } catch {
      // It has ended.
    }
    await this.exited;
  }

  async #read(stream: "stdout" | "stderr"): Promise<void> {
    const texts = this.#child[stream].pipeThrough(new TextDecoderStream());
    for await (const text of texts) {
      this[stream] += text;
      for (const listener of [...this.#listeners]) listener();
    }
  }
}

/** Runs a command in a terminal. */
export function inTerminal(
  args: string[],
  options: TerminalOptions = {},
): Terminal {
  return Terminal.run(
    [Deno.execPath(), ...clientArguments(), ...args],
    options,
  );
}

/** The arguments that submit a run that writes down what it does. */
export function work(
  project: Project,
  id: string,
  { seconds = 0, playbook = "work.yml" } = {},
): string[] {
  const variables = { id, truth: project.truthFile, seconds };
  return [
    "submit",
    playbook,
    "-i",
    "hosts",
    "--id",
    id,
    "-e",
    JSON.stringify(variables),
  ];
}

/**
 * What a run prints, of a launcher and by hand.
 *
 * @module
 */
import { Launcher, StaleLauncherError } from "../../src/ansible/launcher.ts";
import type { Project } from "./project.ts";

/** What it has printed, without what is different each time; and its end. */
export interface Printed {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** A command: arguments, and variables. */
export interface Command {
  argv: string[];
  extraVars?: Record<string, unknown>;
}

/** Runs of one launcher, which is replaced only when it says that it has to be. */
export class PrintedRuns implements AsyncDisposable {
  /** How many launchers there were. */
  launchers = 0;
  #launcher: Launcher | null = null;
  readonly #project: Project;
  readonly #env: Record<string, string>;

  constructor(project: Project, env: Record<string, string> = {}) {
    this.#project = project;
    this.#env = env;
  }

  /** Lets a launcher be ready. */
  async ready(): Promise<Launcher> {
    if (this.#launcher === null) {
      this.launchers++;
      this.#launcher = new Launcher({
        playbookDirectory: this.#project.directory,
        environment: this.#environment(),
      });
      await this.#launcher.ready;
    }
    await this.#launcher.idle;
    return this.#launcher;
  }

  /** A run of the launcher. */
  async run({ argv, extraVars = {} }: Command): Promise<Printed> {
    const launcher = await this.ready();
    const text = { stdout: "", stderr: "" };
    try {
      const exit = await launcher.run({
        fresh: false,
        argv,
        inventory_programs: true,
        extra_vars: JSON.stringify(extraVars),
        vault_password: null,
        kill_grace: 1,
        events: false,
        output: 1 << 24,
      }, {
        onEvent() {},
        onOutput: (piece) => void (text[piece.stream] += piece.text),
      });
      return printed(exit.return_code, text);
    } catch (error) {
      if (!(error instanceof StaleLauncherError)) throw error;
      await this[Symbol.asyncDispose]();
      return await this.run({ argv, extraVars });
    }
  }

  /** The same by hand. */
  async byHand({ argv, extraVars = {} }: Command): Promise<Printed> {
    const { code, stdout, stderr } = await new Deno.Command(
      "ansible-playbook",
      {
        args: [`--extra-vars=${JSON.stringify(extraVars)}`, ...argv],
        cwd: this.#project.directory,
        clearEnv: true,
        env: { ...this.#environment(), LC_ALL: "C.UTF-8" },
        stdin: "null",
      },
    ).output();
    const decoder = new TextDecoder();
    return printed(code, {
      stdout: decoder.decode(stdout),
      stderr: decoder.decode(stderr),
    });
  }

  /** Ends the launcher. */
  async [Symbol.asyncDispose](): Promise<void> {
    const launcher = this.#launcher;
    this.#launcher = null;
    await launcher?.[Symbol.asyncDispose]();
  }

  #environment(): Record<string, string> {
    return {
      PATH: Deno.env.get("PATH") ?? "",
      ...this.#project.environment("hand"),
      ...this.#env,
    };
  }
}

/** What was printed, without what is different each time. */
export function printed(
  code: number | null,
  { stdout, stderr }: { stdout: string; stderr: string },
): Printed {
  return { code, stdout: plain(stdout), stderr: plain(stderr) };
}

/** Without times, and what is drawn. */
function plain(text: string): string {
  return text
    .replace(/("?(start|end|delta)"?: ?"?)\d[-0-9:. ]*/g, "$1…")
    .replace(/\bj\d+\.\d+\b|\b\d+\.\d{4,}\b/g, "…")
    .replace(/\b0x[0-9a-f]{8,}/g, "0x…")
    .replace(/(ansible-tmp-|ansible-local-)[-\w.]+/g, "$1…");
}

/**
 * Ansible: one launcher for each slot, started ahead of need and replaced when
 * it is no longer what a run by hand would be.
 *
 * @module
 */
import type { UnnumberedEvent } from "../messages/event.ts";
import type { Printed } from "../messages/output.ts";
import type { TaskRequest } from "../messages/task_request.ts";
import type { Progress } from "../messages/task_status.ts";
import { argumentsOf, type Secrets } from "./arguments.ts";
import { Launcher, LauncherError, StaleLauncherError } from "./launcher.ts";
import { check, type Checked, type Policy } from "./refusal.ts";
import { RunReport } from "./report.ts";

/** A launcher is replaced after so many tasks, whatever it may have gathered. */
const MOST_TASKS = 500;

/** How long after a launcher that did not start another one is tried. */
const AGAIN_MS = 5000;

/** Why nothing is started any more. */
const CLOSED = "the worker is leaving: the playbook was not started";

/** Where the program writes what it does. */
interface Log {
  debug(message: string, fields?: Record<string, unknown>): void;
  warn(message: string, fields?: Record<string, unknown>): void;
}

/**
 * Why a launcher is replaced: Ansible or its configuration has `changed`; it has
 * run as many tasks as one may; it `died` while it waited, or during a run.
 */
export type Replacement = "changed" | "used_up" | "died" | "died_running";

/** Is told of launchers; it must not throw. */
export interface LauncherObserver {
  /** One has become ready, after so many seconds. */
  launcherStarted(seconds: number): void;
  /** One is of no use any more. */
  launcherReplaced(reason: Replacement): void;
}

/** What Ansible is started with. */
export interface AnsibleOptions {
  /** Also the working directory of every run. */
  playbookDirectory: string;
  /** Where inventories are. */
  inventoryDirectory: string;
  /** Files with secrets in them, which no request may name. */
  secretFiles: readonly string[];
  /** How many runs there may be at once. */
  slots: number;
  /** Seconds between asking a run to end and killing it. */
  killGraceSeconds: number;
  /** The whole environment of the runs. */
  environment: Record<string, string>;
  /** What requests may ask for at this moment. */
  policy(): Policy;
  /** What every run gets. */
  secrets: Secrets;
  /** Where to write what happens. */
  log: Log;
  /** Is told of launchers. */
  observer?: LauncherObserver;
}

/** `ansible-playbook` is missing, or cannot be used as a launcher. */
export class AnsibleUnusableError extends Error {
  /** The kind of error. */
  override name = "AnsibleUnusableError";
}

/** How a run ended. */
export interface RunOutcome {
  /** What ansible-playbook returned; null if it was killed, or never ran. */
  return_code: number | null;
  /** Why it failed; null if it returned 0. */
  error_message: string | null;
  /** The numbers of its run. */
  progress: Progress;
}

/** What is wanted of a run. */
export interface RunOptions {
  /** The request's extra variables as JSON, with its numbers as written. */
  extraVars: string | null;
  /** Its numbers have changed. */
  onProgress(progress: Progress): void;
  /** Set: a play task has started on it, or a host has a result. */
  onEvent?(event: UnnumberedEvent): void;
  /** Set: it has printed something, up to a limit in bytes of UTF-8. */
  output?: { limit: number; onOutput(printed: Printed): void };
}

/** A run of a playbook. */
export interface Run {
  /** Settles when it has ended; never rejects. */
  readonly finished: Promise<RunOutcome>;
  /**
   * Asks it to end, and kills all of it after the grace time; `immediately`:
   * at once. Safe at any time, and more than once.
   */
  end(options?: { immediately?: boolean }): void;
}

/** What runs playbooks. */
export class Ansible implements AsyncDisposable {
  /** The version of ansible-core, such as `2.14.18`. */
  readonly version: string;
  readonly #options: AnsibleOptions;
  /** Launchers that wait for a task. */
  readonly #idle: Launcher[] = [];
  readonly #all = new Set<Launcher>();
  #closed = false;
  /** Why the last attempt to start a launcher failed, if it did. */
  #problem: string | null = null;
  #failedAt = 0;
  #starting = 0;

  private constructor(options: AnsibleOptions, version: string) {
    this.#options = options;
    this.version = version;
  }

  /**
   * Starts the launchers.
   *
   * @returns when the first is ready
   * @throws {AnsibleUnusableError} there is no ansible-playbook, or it does not
   * work as a launcher
   */
  static async start(options: AnsibleOptions): Promise<Ansible> {
    let first: Launcher;
    try {
      first = await started(options);
    } catch (error) {
      throw new AnsibleUnusableError(unusable(error, options), {
        cause: error,
      });
    }
    const ready = await first.ready;
    const ansible = new Ansible(options, ready.ansible_version);
    ansible.#add(first);
    for (let slot = 1; slot < options.slots; slot++) ansible.#prepare();
    return ansible;
  }

  /**
   * Why no launcher could be started the last time; null if one could. Where
   * none is left, or that was a while ago, another one is started, so that it is
   * soon known whether that still holds.
   */
  health(): string | null {
    if (this.#closed) return CLOSED;
    const isDue = this.#problem === null
      ? this.#all.size === 0
      : performance.now() - this.#failedAt > AGAIN_MS;
    if (isDue && this.#starting === 0) this.#prepare();
    return this.#problem;
  }

  /** Why a request cannot be run, in one sentence; null if it can. */
  async refusal(request: TaskRequest): Promise<string | null> {
    const checked = await this.#check(request);
    return typeof checked === "string" ? checked : null;
  }

  #check(request: TaskRequest): Promise<string | Checked> {
    return check(request, {
      directories: this.#options,
      policy: this.#options.policy(),
    });
  }

  /** Starts a run; there must be a slot for it. */
  run(request: TaskRequest, options: RunOptions): Run {
    const state: RunState = { launcher: null, ending: null };
    return {
      finished: this.#run(request, { ...options, state }),
      end: ({ immediately = false } = {}) => {
        state.ending = {
          immediately: immediately || state.ending?.immediately === true,
        };
        state.launcher?.end(state.ending);
      },
    };
  }

  /** Ends all runs, and the launchers. Safe when called twice. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#all].map((one) => one[Symbol.asyncDispose]()));
  }

  async #run(
    request: TaskRequest,
    { extraVars, onProgress, onEvent, output, state }: RunOptions & {
      state: RunState;
    },
  ): Promise<RunOutcome> {
    const report = new RunReport();
    const failed = (error_message: string): RunOutcome => ({
      return_code: null,
      error_message,
      progress: report.final(),
    });
    // Again, now that it is to run: a queue can be long.
    const checked = await this.#check(request);
    if (typeof checked === "string") return failed(checked);
    const { secrets } = this.#options;
    for (;;) {
      let launcher: Launcher;
      try {
        launcher = await this.#take();
      } catch (error) {
        return failed(unusable(error, this.#options));
      }
      if (state.ending) {
        this.#giveBack(launcher);
        return failed("ended before it had begun");
      }
      state.launcher = launcher;
      try {
        const exit = await launcher.run({
          argv: argumentsOf(request, {
            checked,
            secrets,
            forceCheckMode: this.#options.policy().force_check_mode,
          }),
          inventory_programs: checked.inventoryPrograms,
          extra_vars: extraVars,
          vault_password: secrets.vault_password ?? null,
          kill_grace: this.#options.killGraceSeconds,
          events: onEvent !== undefined,
          output: output?.limit ?? null,
        }, {
          onEvent(event) {
            if (event.event === "task_start" || event.event === "result") {
              onEvent?.(event);
            } else if (report.add(event)) onProgress(report.progress);
          },
          onOutput: (printed) => output?.onOutput(printed),
        });
        this.#giveBack(launcher);
        return {
          return_code: exit.return_code,
          error_message: exit.return_code === 0 ? null : report.error({
            stdout: exit.stdout_tail,
            stderr: exit.stderr_tail,
          }) ??
            (exit.signal === null
              ? `ansible-playbook ended with ${exit.return_code}`
              : `ansible-playbook was killed by signal ${exit.signal}`),
          progress: report.final(),
        };
      } catch (error) {
        if (error instanceof StaleLauncherError) {
          this.#options.log.debug(
            "Ansible or its configuration has changed: a launcher is replaced",
          );
          this.#options.observer?.launcherReplaced("changed");
          continue;
        }
        this.#options.log.warn("a launcher is gone during its run", { error });
        this.#options.observer?.launcherReplaced("died_running");
        this.#prepare();
        return failed((error as Error).message);
      } finally {
        state.launcher = null;
      }
    }
  }

  /** A launcher that waits, or a new one. */
  async #take(): Promise<Launcher> {
    if (this.#closed) throw new LauncherError(CLOSED);
    const waiting = this.#idle.shift();
    if (waiting && waiting.tasks < MOST_TASKS) {
      const alive = await waiting.idle.then(() => true, () => false);
      if (alive) return waiting;
      this.#options.log.debug("a launcher has died: it is replaced");
      this.#options.observer?.launcherReplaced("died");
    } else if (waiting) this.#options.observer?.launcherReplaced("used_up");
    if (waiting) void waiting[Symbol.asyncDispose]();
    if (this.#closed) throw new LauncherError(CLOSED);
    const launcher = await this.#start();
    this.#all.add(launcher);
    this.#watch(launcher);
    this.#trim();
    // Closed while it started: nobody else would end it.
    if (this.#closed) {
      await launcher[Symbol.asyncDispose]();
      throw new LauncherError(CLOSED);
    }
    return launcher;
  }

  #giveBack(launcher: Launcher): void {
    if (this.#closed) void launcher[Symbol.asyncDispose]();
    else this.#idle.push(launcher);
  }

  /** Starts a launcher ahead of need; if it fails, the next run will say so. */
  #prepare(): void {
    if (this.#closed) return;
    this.#start().then(
      (launcher) => {
        this.#add(launcher);
        if (this.#closed) void launcher[Symbol.asyncDispose]();
      },
      (error) =>
        this.#options.log.warn("cannot start a launcher ahead of need", {
          error,
        }),
    );
  }

  async #start(): Promise<Launcher> {
    this.#starting++;
    try {
      const launcher = await started(this.#options);
      this.#problem = null;
      return launcher;
    } catch (error) {
      this.#problem = unusable(error, this.#options);
      this.#failedAt = performance.now();
      throw error;
    } finally {
      this.#starting--;
    }
  }

  #add(launcher: Launcher): void {
    this.#all.add(launcher);
    this.#idle.push(launcher);
    this.#watch(launcher);
    this.#trim();
  }

  /** A run that finds none waiting starts its own while others are started. */
  #trim(): void {
    if (this.#all.size > this.#options.slots) {
      void this.#idle.shift()?.[Symbol.asyncDispose]();
    }
  }

  #watch(launcher: Launcher): void {
    launcher.gone.then(() => {
      this.#all.delete(launcher);
      const place = this.#idle.indexOf(launcher);
      if (place < 0) return;
      this.#idle.splice(place, 1);
      if (!this.#closed) this.#options.observer?.launcherReplaced("died");
    });
  }
}

interface RunState {
  launcher: Launcher | null;
  ending: { immediately: boolean } | null;
}

/** A launcher that is ready. */
async function started(options: AnsibleOptions): Promise<Launcher> {
  const before = performance.now();
  const launcher = new Launcher(options);
  await launcher.ready;
  options.observer?.launcherStarted((performance.now() - before) / 1000);
  return launcher;
}

function unusable(error: unknown, { environment }: AnsibleOptions): string {
  if (error instanceof Deno.errors.NotCapable) {
    return "Deno's sandbox does not allow what is needed to run playbooks; start the worker with --allow-run=ansible-playbook";
  }
  if (error instanceof Deno.errors.NotFound) {
    return `Cannot start "ansible-playbook": looked for it in PATH (${
      environment.PATH ?? "not set"
    }); ${error.message}`;
  }
  if (error instanceof LauncherError) return error.message;
  return `Cannot start "ansible-playbook": ${
    error instanceof Error ? error.message : error
  }`;
}

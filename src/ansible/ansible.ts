/**
 * Ansible: requests in, runs of playbooks out.
 *
 * @module
 */
import type { UnnumberedEvent } from "../messages/event.ts";
import type { Printed } from "../messages/output.ts";
import type { TaskRequest } from "../messages/task_request.ts";
import type { Progress } from "../messages/task_status.ts";
import { argumentsOf, type Secrets } from "./arguments.ts";
import { type Launcher, StaleLauncherError } from "./launcher.ts";
import {
  LauncherPool,
  type LauncherPoolOptions,
  whyUnusable,
} from "./launcher_pool.ts";
import {
  type Checked,
  checkRequest,
  type Directories,
  type Policy,
} from "./refusal.ts";
import { RunReport } from "./report.ts";

/** What Ansible is started with. */
export interface AnsibleOptions extends Directories, LauncherPoolOptions {
  /** Seconds between asking a run to end and killing it. */
  killGraceSeconds: number;
  /** What requests may ask for at this moment. */
  policy(): Policy;
  secrets: Secrets;
}

/** `ansible-playbook` is missing, or cannot be used as a launcher. */
export class AnsibleUnusableError extends Error {
  override name = "AnsibleUnusableError";
}

/** How a run ended. */
export interface RunOutcome {
  /** What ansible-playbook returned; null if it was killed, or never ran. */
  return_code: number | null;
  /** Why it failed; null if it returned 0. */
  error_message: string | null;
  /** Which of its processes could not be ended, in a sentence. */
  left?: string | null;
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

/** Nothing is known of commits, and nothing has to be waited for. */
interface NoRevision {
  revision: null;
  refusal: null;
}

/** What runs playbooks. */
export class Ansible implements AsyncDisposable {
  /** The version of ansible-core, such as `2.14.18`. */
  readonly version: string;
  readonly #options: AnsibleOptions;
  readonly #pool: LauncherPool;

  private constructor(
    options: AnsibleOptions,
    { pool, version }: { pool: LauncherPool; version: string },
  ) {
    this.#options = options;
    this.#pool = pool;
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
    try {
      const { pool, ready } = await LauncherPool.start(options);
      return new Ansible(options, { pool, version: ready.ansible_version });
    } catch (error) {
      throw new AnsibleUnusableError(whyUnusable(error, options), {
        cause: error,
      });
    }
  }

  /** What Ansible has said at its import; empty for nothing. */
  get said(): string {
    return this.#pool.said;
  }

  /** See `LauncherPool.health()`. */
  health(): string | null {
    return this.#pool.health();
  }

  /** Settles when each slot has a launcher, or has had none. */
  untilPrepared(): Promise<void> {
    return this.#pool.untilPrepared();
  }

  /** Keeps no launcher for another run. */
  retire(): void {
    this.#pool.retire();
  }

  /** What it runs is what is in its directories, whatever that is. */
  pin(): Promise<Disposable & Pick<Ansible, "run"> & NoRevision> {
    return Promise.resolve({
      revision: null,
      refusal: null,
      run: (request, options) => this.run(request, options),
      [Symbol.dispose]() {},
    });
  }

  /** Why a request cannot be run, in one sentence; null if it can. */
  async refusal(request: TaskRequest): Promise<string | null> {
    const checked = await this.#check(request);
    return typeof checked === "string" ? checked : null;
  }

  #check(request: TaskRequest): Promise<string | Checked> {
    return checkRequest(request, {
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
  [Symbol.asyncDispose](): Promise<void> {
    return this.#pool[Symbol.asyncDispose]();
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
      let fresh: boolean;
      try {
        ({ launcher, fresh } = await this.#pool.take());
      } catch (error) {
        return failed(whyUnusable(error, this.#options));
      }
      if (state.ending) {
        this.#pool.giveBack(launcher);
        return failed("ended before it had begun");
      }
      state.launcher = launcher;
      try {
        const exit = await launcher.run({
          fresh,
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
        this.#pool.giveBack(launcher);
        return {
          return_code: exit.return_code,
          left: exit.left,
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
        this.#pool.prepare();
        return failed((error as Error).message);
      } finally {
        state.launcher = null;
      }
    }
  }
}

interface RunState {
  launcher: Launcher | null;
  ending: { immediately: boolean } | null;
}

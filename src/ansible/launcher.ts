/**
 * One launcher: an `ansible-playbook` that has imported everything and waits for
 * a task (see `python/`).
 *
 * It is **starting** until it says ready; **ready**; **running** a task; ready
 * again; and **gone**, because it was closed, or has died, or has broken the
 * protocol, or says that Ansible or its configuration is no longer what it was
 * made from.
 *
 * @module
 */
import type { Printed } from "../messages/output.ts";
import { fulfilledWithin } from "../deadline.ts";
import { type Frame, readFrames, type RunEvent } from "./frames.ts";
import { pythonDirectory, pythonMissing } from "./python_files.ts";

/** How long a launcher may take to be ready, in milliseconds. */
const READY_MS = 60_000;

/** How much of what a launcher says on stderr is kept, in characters. */
const MOST_STDERR = 8192;

/** How long a launcher may take to leave after its stdin was closed. */
const LEAVE_MS = 1000;

/** The launcher is gone; the message says why. */
export class LauncherError extends Error {
  /** The kind of error. */
  override name = "LauncherError";
}

/** The launcher has left without running the job: another one has to. */
export class StaleLauncherError extends Error {
  /** The kind of error. */
  override name = "StaleLauncherError";
}

/** What a launcher is started with. */
export interface LauncherOptions {
  /** Where playbooks are; also the working directory of every run. */
  playbookDirectory: string;
  /** The whole environment of the process. */
  environment: Record<string, string>;
}

/** A run, as it is asked of a launcher. */
export interface Job {
  /** The arguments, without the program. */
  argv: string[];
  /** Whether programs among the inventory's files are run. */
  inventory_programs: boolean;
  /** Variables, which travel as data. */
  extra_vars: string | null;
  /** Opens what is encrypted with the default vault id. */
  vault_password: string | null;
  /** Seconds between asking it to end and killing it. */
  kill_grace: number;
  /** Whether each host result is to be told. */
  events: boolean;
  /** How much of what it prints is wanted, in bytes; null for nothing. */
  output: number | null;
}

/** Who is told what a run says. */
export interface Listener {
  /** It says something of itself. */
  onEvent(event: RunEvent): void;
  /** It has printed something. */
  onOutput(printed: Printed): void;
}

/** How a run ended. */
export type Exit = Extract<Frame, { type: "exit" }>;

/** What a ready launcher says of itself. */
export type Ready = Extract<Frame, { type: "ready" }>;

/** One launcher process. */
export class Launcher implements AsyncDisposable {
  /** Settles when it is ready for the first time; rejects if it never is. */
  readonly ready: Promise<Ready>;
  /** Settles when it is gone, with why. */
  readonly gone: Promise<LauncherError>;
  readonly #child: Deno.ChildProcess;
  readonly #stdin: WritableStreamDefaultWriter<Uint8Array>;
  #waiting: PromiseWithResolvers<Ready>;
  #idle: Promise<Ready>;
  #run: { exit: PromiseWithResolvers<Exit>; listener: Listener } | null = null;
  #stderr = "";
  #tasks = 0;
  #closed = false;

  /** Starts the process. */
  constructor(options: LauncherOptions) {
    // What the run must not inherit, the launcher takes out again.
    const { PYTHONPATH } = options.environment;
    const python = pythonDirectory();
    this.#child = new Deno.Command("ansible-playbook", {
      cwd: options.playbookDirectory,
      clearEnv: true,
      env: {
        ...options.environment,
        LC_ALL: "C.UTF-8",
        PYTHONPATH: PYTHONPATH ? `${python}:${PYTHONPATH}` : python,
        ANSIBLE_WORKER_LAUNCHER: "1",
      },
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#stdin = this.#child.stdin.getWriter();
    this.#waiting = Promise.withResolvers();
    this.ready = this.#waiting.promise;
    void fulfilledWithin(READY_MS, this.ready).then((inTime) => {
      if (!inTime) this.#kill();
    });
    this.#idle = this.ready;
    this.gone = this.#serve();
  }

  /** How many tasks it has run. */
  get tasks(): number {
    return this.#tasks;
  }

  /** Settles when it has said ready after its last task; rejects if not. */
  get idle(): Promise<unknown> {
    return this.#idle;
  }

  /**
   * Runs a job. The launcher must be idle.
   *
   * @throws {LauncherError} it is gone before the run has ended
   * @throws {StaleLauncherError} nothing was run
   */
  async run(job: Job, listener: Listener): Promise<Exit> {
    this.#tasks++;
    this.#waiting = Promise.withResolvers();
    this.#idle = this.#waiting.promise;
    this.#idle.catch(() => {});
    const exit = Promise.withResolvers<Exit>();
    this.#run = { exit, listener };
    exit.promise.catch(() => {});
    await this.#send({ type: "run", ...job }).catch(() => {});
    return await exit.promise;
  }

  /** Asks the run to end; nothing happens if there is none. */
  end(options: { immediately: boolean }): void {
    if (this.#run) this.#send({ type: "end", ...options }).catch(() => {});
  }

  /** Closes its stdin, upon which it ends its run and leaves. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#closed) {
      this.#closed = true;
      await this.#stdin.close().catch(() => {});
    }
    await this.gone;
  }

  #kill(): void {
    try {
      this.#child.kill("SIGKILL");
    } catch {
      // It has gone by itself.
    }
  }

  async #send(message: unknown): Promise<void> {
    await this.#stdin.write(
      new TextEncoder().encode(JSON.stringify(message) + "\n"),
    );
  }

  async #serve(): Promise<LauncherError> {
    const stderr = this.#readStderr();
    let reason = "";
    try {
      for await (const frame of readFrames(this.#child.stdout)) {
        this.#take(frame);
      }
    } catch (error) {
      reason = (error as Error).message;
      this.#kill();
    }
    const { status } = this.#child;
    // Its stdout has ended, so it is about to leave.
    if (!await fulfilledWithin(LEAVE_MS, status)) this.#kill();
    const { code, signal } = await status;
    await stderr;
    await this.#stdin.abort().catch(() => {});
    const error = new LauncherError(
      // Without them it is an ansible-playbook that explains its options.
      await pythonMissing() ?? [
        `ansible-playbook, as launcher, ${
          reason || `ended with ${signal ?? code}`
        }`,
        this.#stderr.trim(),
      ].filter(Boolean).join(": "),
    );
    this.#waiting.reject(error);
    this.#run?.exit.reject(error);
    this.#run = null;
    return error;
  }

  #take(frame: Frame): void {
    switch (frame.type) {
      case "ready":
        this.#waiting.resolve(frame);
        break;
      case "stale":
        this.#run?.exit.reject(new StaleLauncherError());
        this.#run = null;
        break;
      case "event":
        this.#run?.listener.onEvent(frame.event);
        break;
      case "output":
        this.#run?.listener.onOutput(frame);
        break;
      case "exit":
        this.#run?.exit.resolve(frame);
        this.#run = null;
    }
  }

  async #readStderr(): Promise<void> {
    const texts = this.#child.stderr.pipeThrough(
      new TextDecoderStream() as TransformStream<Uint8Array, string>,
    );
    for await (const text of texts) {
      this.#stderr = (this.#stderr + text).slice(-MOST_STDERR);
    }
  }
}

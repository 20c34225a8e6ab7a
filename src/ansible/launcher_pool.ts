/**
 * One launcher for each slot, started ahead of need and replaced when it is no
 * longer what a run by hand would be.
 *
 * @module
 */
import {
  Launcher,
  LauncherError,
  type LauncherOptions,
  type Ready,
} from "./launcher.ts";

/** A launcher is replaced after so many tasks, whatever it may have gathered. */
const MAX_TASKS = 500;

/** How long after a launcher that did not start another one is tried. */
const RETRY_MS = 5000;

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

/** What a pool of launchers needs. */
export interface LauncherPoolOptions extends LauncherOptions {
  slots: number;
  log: Log;
  observer?: LauncherObserver;
}

/** The launchers of this worker. */
export class LauncherPool implements AsyncDisposable {
  /** What Ansible has said at its import, last; empty for nothing. */
  said = "";
  readonly #options: LauncherPoolOptions;
  /** Launchers that wait for a task. */
  readonly #idle: Launcher[] = [];
  readonly #all = new Set<Launcher>();
  #closed = false;
  /** What has run its task is not needed again. */
  #retired = false;
  /** Settles when the first launcher of each slot is there, or is not. */
  #prepared: Promise<unknown> = Promise.resolve();
  /** Why the last attempt to start a launcher failed, if it did. */
  #problem: string | null = null;
  #failedAt = 0;
  #starting = 0;

  private constructor(options: LauncherPoolOptions) {
    this.#options = options;
  }

  /**
   * Starts the launchers.
   *
   * @returns when the first is ready, with what it says of itself
   * @throws whatever `whyUnusable()` can name
   */
  static async start(
    options: LauncherPoolOptions,
  ): Promise<{ pool: LauncherPool; ready: Ready }> {
    const first = await startLauncher(options);
    const ready = await first.ready;
    const pool = new LauncherPool(options);
    pool.#hear(ready);
    pool.#add(first);
    pool.#prepared = Promise.all(
      Array.from({ length: options.slots - 1 }, () => pool.prepare()),
    );
    return { pool, ready };
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
      : performance.now() - this.#failedAt > RETRY_MS;
    if (isDue && this.#starting === 0) this.prepare();
    return this.#problem;
  }

  /**
   * A launcher that waits, or a new one, which is `fresh`.
   *
   * @throws whatever `whyUnusable()` can name
   */
  async take(): Promise<{ launcher: Launcher; fresh: boolean }> {
    if (this.#closed) throw new LauncherError(CLOSED);
    const waiting = this.#idle.shift();
    if (waiting && waiting.tasks < MAX_TASKS) {
      const alive = await waiting.idle.then(() => true, () => false);
      if (alive) return { launcher: waiting, fresh: false };
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
    return { launcher, fresh: true };
  }

  /** Settles when each slot has a launcher, or could have none. */
  async untilPrepared(): Promise<void> {
    await this.#prepared;
  }

  /** Ends the launchers that wait, and others when they have run their tasks. */
  retire(): void {
    this.#retired = true;
    for (const waiting of this.#idle.splice(0)) {
      void waiting[Symbol.asyncDispose]();
    }
  }

  /** A launcher that was taken has run its task, or was not needed. */
  giveBack(launcher: Launcher): void {
    if (this.#closed || this.#retired) void launcher[Symbol.asyncDispose]();
    else this.#idle.push(launcher);
  }

  /** Starts a launcher ahead of need; if it fails, the next run will say so. */
  async prepare(): Promise<void> {
    if (this.#closed || this.#retired) return;
    await this.#start().then(
      (launcher) => {
        this.#add(launcher);
        if (this.#closed) void launcher[Symbol.asyncDispose]();
        else if (this.#retired) this.retire();
      },
      (error) =>
        this.#options.log.warn("cannot start a launcher ahead of need", {
          error,
        }),
    );
  }

  /** Ends all runs, and the launchers. Safe when called twice. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#all].map((one) => one[Symbol.asyncDispose]()));
  }

  async #start(): Promise<Launcher> {
    this.#starting++;
    try {
      const launcher = await startLauncher(this.#options);
      this.#problem = null;
      this.#hear(await launcher.ready);
      return launcher;
    } catch (error) {
      this.#problem = whyUnusable(error, this.#options);
      this.#failedAt = performance.now();
      throw error;
    } finally {
      this.#starting--;
    }
  }

  /** What every launcher says, and every run says again, is logged once. */
  #hear({ said }: Ready): void {
    const text = said.trim().replace(/\s+/g, " ");
    if (text !== "" && text !== this.said) {
      this.#options.log.warn(`Ansible says at its start: ${text}`);
    }
    this.said = text;
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
      this.#idle.shift()?.[Symbol.asyncDispose]();
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

/** A launcher that is ready. */
async function startLauncher(options: LauncherPoolOptions): Promise<Launcher> {
  const before = performance.now();
  const launcher = new Launcher(options);
  await launcher.ready;
  options.observer?.launcherStarted((performance.now() - before) / 1000);
  return launcher;
}

/** Why no launcher can be started, as a sentence. */
export function whyUnusable(
  error: unknown,
  { environment }: Pick<LauncherOptions, "environment">,
): string {
  if (error instanceof Deno.errors.NotCapable) {
    return "Deno's sandbox does not allow what is needed to run playbooks; start the worker with --allow-run=ansible-playbook";
  }
  if (
    error instanceof Deno.errors.NotFound && !error.message.includes("cwd")
  ) {
    return `Cannot start "ansible-playbook": looked for it in PATH (${
      environment.PATH ?? "not set"
    }); ${error.message}`;
  }
  if (error instanceof LauncherError) return error.message;
  return `Cannot start "ansible-playbook": ${
    error instanceof Error ? error.message : error
  }`;
}

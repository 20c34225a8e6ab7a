/**
 * The start of a task and its way to the final status, in the one order in
 * which a crash at any point loses nothing and runs nothing twice.
 *
 * Before the first step the task is this worker's by its status topic (see
 * `status_board.ts`), and its record says so.
 *
 * | killed after | what becomes of the task |
 * | --- | --- |
 * | nothing | it waits again |
 * | 1 `running` | `failed`, at the next start or by the worker that adopts this one; the run dies with the worker |
 * | 2 run | the same |
 * | 3 final status | it has its final status; the record is removed |
 *
 * Where there is a journal, the run is written into it between 1 and 2, and its
 * end between 2 and 3: that end is published at the next start, unless a worker
 * that has adopted this one was quicker.
 *
 * @module
 */
import { fulfilledWithin } from "../deadline.ts";
import type { FeedOptions, RunFeed } from "./run_feed.ts";
import type { TaskObserver } from "./observer.ts";
import type { Log, PinnedRunner, Run, Runner } from "./ports.ts";
import type { Records } from "./records.ts";
import type { StatusBoard } from "./status_board.ts";
import type { Ending, Task } from "./task.ts";

/** Where a killing test may stop the process. */
export type StartStep = "running" | "started" | "ended" | "published";

/** What the configuration says of runs. */
export interface RunSettings {
  /** Seconds that a run may take, unless its request says otherwise. */
  readonly timeoutSeconds: number;
  /** Least time between two `running` statuses, in seconds. */
  readonly statusIntervalSeconds: number;
  /** What is told of runs beside their statuses. */
  readonly feed: FeedOptions;
}

/** What a start needs. */
export interface StartOptions {
  board: StatusBoard;
  records: Pick<Records, "remove">;
  runner: Runner;
  log: Log;
  observer?: TaskObserver;
  /** What counts for a run that begins at this moment. */
  settings(): RunSettings;
  /** Begins the live feed of a run. */
  openFeed(taskId: string): RunFeed;
  /** Called after each step. */
  onStep?(step: StartStep): void;
}

/** A task in a slot. */
export class ActiveTask {
  readonly task: Task;
  /** Settles when its slot is free again. */
  readonly finished: Promise<void>;
  readonly #ended = Promise.withResolvers<void>();
  /** Settles when it is to end before its time. */
  readonly #stopped = Promise.withResolvers<null>();
  readonly #options: StartOptions;
  readonly #feed: RunFeed;
  #run: Run | null = null;
  /** Why it is to end before its time, if it is. */
  #ending: Ending | null = null;
  /** The group has published its end without us. */
  #abandoned = false;

  /** Starts it at once. */
  constructor(task: Task, options: StartOptions) {
    this.task = task;
    this.#options = options;
    this.#feed = options.openFeed(task.id);
    this.finished = this.#start().finally(() => this.#ended.resolve());
  }

  /** Settles when its run is over, whether or not that is acknowledged. */
  get ended(): Promise<void> {
    return this.#ended.promise;
  }

  /** Whether its run has begun. */
  get running(): boolean {
    return this.#run !== null;
  }

  /** Ends it before its time; the first reason counts. */
  end(ending: Ending, options: { immediately?: boolean } = {}): void {
    this.#ending ??= ending;
    this.#stopped.resolve(null);
    this.#run?.end(options);
  }

  /** Ends it and publishes nothing: its final status is somebody else's. */
  abandon(): void {
    this.#abandoned = true;
    this.#feed.discard();
    this.end({ state: "cancelled" }, { immediately: true });
  }

  async #start(): Promise<void> {
    const { task } = this;
    const { board, log, onStep, records } = this.#options;
    using runner = await this.#pin();

    // 1. `running`, which has come back before anything of anybody else's: from
    // here on nobody takes the task for one that waits.
    task.start(runner?.revision ?? null);
    if (!await board.begin(task) || this.#abandoned) {
      log.info("another worker has taken the task over", { task_id: task.id });
      records.remove(task.id);
      board.forget(task.id);
      return;
    }
    onStep?.("running");

    // 2. The run.
    await this.#runToEnd(runner);
    await board.writeEnd(task);
    this.#ended.resolve();
    onStep?.("ended");

    // 3. The final status, acknowledged: before that the record must stand, so
    // that the task is not without an end if we die here. Whoever sees it has
    // been told everything else.
    if (!this.#abandoned) {
      // At once: the broker may be away, and this worker gone before it is back.
      log.info(`the task ended: ${task.state}`, {
        task_id: task.id,
        ...(task.errorMessage && { error_message: task.errorMessage }),
      });
      await this.#feed.finish();
    }
    if (this.#abandoned) board.forget(task.id);
    else await board.end(task);
    onStep?.("published");

    // 4. Nothing of it is left here.
    records.remove(task.id);
  }

  /** What it is to run on; null if it is to end while it waits for that. */
  async #pin(): Promise<PinnedRunner | null> {
    const pinned = this.#options.runner.pin(this.task.request);
    const first = await Promise.race([pinned, this.#stopped.promise]);
    if (first === null) void pinned.then((late) => late[Symbol.dispose]());
    return first;
  }

  async #runToEnd(runner: PinnedRunner | null): Promise<void> {
    const { task } = this;
    const { board, log, onStep } = this.#options;
    if (this.#ending) return task.end(this.#ending);
    // Only one that is to end has none.
    if (runner === null) throw new TypeError("Cannot run on nothing");
    if (runner.refusal !== null) {
      return task.end({ state: "failed", error: runner.refusal });
    }
    try {
      await board.writeBegin(task);
    } catch (error) {
      return task.end({ state: "failed", error: (error as Error).message });
    }
    // It may have been cancelled meanwhile.
    if (this.#ending) return task.end(this.#ending);
    const settings = this.#options.settings();
    const seconds = task.request.timeout ?? settings.timeoutSeconds;
    this.#options.observer?.started(task);
    log.info("the task starts", {
      task_id: task.id,
      playbook: task.request.playbook,
    });
    const publish = () => board.update(task);
    const updates = new Throttle(
      publish,
      settings.statusIntervalSeconds * 1000,
    );
    const run = runner.run(task.request, {
      extraVars: task.extraVars,
      onProgress(progress) {
        task.progress = progress;
        updates.request();
      },
      ...this.#feed.callbacks(settings.feed),
    });
    this.#run = run;
    onStep?.("started");
    if (!await fulfilledWithin(seconds * 1000, run.finished)) {
      this.end({
        state: "timeout",
        error: `the time limit of ${seconds} s was reached`,
      });
    }
    const outcome = await run.finished;
    updates[Symbol.dispose]();
    const at = task.progress.current_task;
    task.progress = outcome.progress;
    const returnCode = outcome.return_code;
    if (this.#ending) {
      const { error, state } = this.#ending;
      const where = at === null ? error : `${error ?? state}, at "${at}"`;
      task.end({
        state,
        error: [where, outcome.left].filter(Boolean).join("; ") || null,
        returnCode,
      });
    } else if (returnCode === 0) {
      task.end({ state: "success", returnCode });
    } else {
      task.end({
        state: "failed",
        returnCode,
        error: outcome.error_message ??
          `ansible-playbook ended with ${returnCode}`,
      });
    }
  }
}

/** Calls a function at once, and then at most once in an interval. */
class Throttle implements Disposable {
  readonly #call: () => void;
  readonly #interval: number;
  #last = performance.now();
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(call: () => void, interval: number) {
    this.#call = call;
    this.#interval = interval;
  }

  request(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#last = performance.now();
      this.#call();
    }, Math.max(0, this.#last + this.#interval - performance.now()));
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }
}

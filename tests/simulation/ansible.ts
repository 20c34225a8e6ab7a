/**
 * Ansible, simulated: it runs nothing, takes as long as the plan says, and keeps
 * the books by which the oracle judges.
 *
 * @module
 */
import type { Run, RunOptions, RunOutcome } from "../../src/ansible/ansible.ts";
import type { Config } from "../../src/config/mod.ts";
import type { TaskRequest } from "../../src/messages/task_request.ts";
import { NO_PROGRESS, type Progress } from "../../src/messages/task_status.ts";
import type { Playbooks } from "../../src/worker/playbooks.ts";
import type { Owner } from "./clock.ts";
import type { Ledger, Ran } from "./ledger.ts";
import { plannedOf, type PlannedTask } from "./plan.ts";

/** Play tasks of a run. */
const PLAY_TASKS = 3;

/** The Ansible of one worker process. */
export class SimulatedAnsible implements Playbooks {
  readonly version = "2.19.0";
  policy: Config["policy"];
  readonly #owner: Owner;
  readonly #tasks: ReadonlyMap<string, PlannedTask>;
  readonly #busyDisk: number;
  readonly #ledger: Ledger;

  constructor(
    { owner, policy, tasks, busyDisk, ledger }: {
      owner: Owner;
      policy: Config["policy"];
      tasks: ReadonlyMap<string, PlannedTask>;
      busyDisk: number;
      ledger: Ledger;
    },
  ) {
    this.#owner = owner;
    this.policy = policy;
    this.#tasks = tasks;
    this.#busyDisk = busyDisk;
    this.#ledger = ledger;
  }

  health(): null {
    return null;
  }

  /** It looks at files, which takes a moment, or on a busy disk more. */
  async refusal({ task_id }: TaskRequest): Promise<string | null> {
    const { random } = this.#owner;
    await pause(random.between(0, random.chance(this.#busyDisk) ? 400 : 3));
    return plannedOf(this.#tasks, task_id).outcome === "refused"
      ? 'the playbook "site.yml" does not exist'
      : null;
  }

  pin() {
    return Promise.resolve({
      revision: null,
      refusal: null,
      run: (request: TaskRequest, options: RunOptions) =>
        this.run(request, options),
      [Symbol.dispose]() {},
    });
  }

  run({ task_id, lock }: TaskRequest, options: RunOptions): Run {
    // A process that was killed goes on until it waits for something.
    if (this.#owner.dead) {
      return { finished: new Promise(() => {}), end() {} };
    }
    const task = plannedOf(this.#tasks, task_id);
    return new SimulatedRun(
      task,
      this.#ledger.started(task_id, this.#owner, { lock }),
      options,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

class SimulatedRun implements Run {
  readonly finished: Promise<RunOutcome>;
  readonly #end = Promise.withResolvers<RunOutcome>();
  readonly #ran: Ran;
  #over = false;
  #ending = false;

  constructor(
    { outcome, seconds }: PlannedTask,
    ran: Ran,
    options: RunOptions,
  ) {
    this.finished = this.#end.promise;
    this.#ran = ran;
    const failed = outcome === "failed";
    const each = seconds * 1000 / PLAY_TASKS;
    const step = (done: number) => {
      if (this.#over) return;
      const isLast = done === PLAY_TASKS;
      ran.progress = progressOf(done, { failed: isLast && failed });
      options.onEvent?.(
        {
          event: "result",
          play: "all",
          task: `play task ${done}`,
          host: "localhost",
          state: isLast && failed ? "failed" : "ok",
          changed: false,
          duration_seconds: each / 1000,
          message: null,
        } as Parameters<NonNullable<RunOptions["onEvent"]>>[0],
      );
      if (isLast) {
        ran.endedItself = true;
        this.#finish({
          return_code: failed ? 2 : 0,
          error_message: failed ? 'localhost: "play task 3" failed' : null,
        });
      } else {
        options.onProgress(ran.progress);
        setTimeout(() => step(done + 1), each);
      }
    };
    setTimeout(() => step(1), each);
  }

  end(options: { immediately?: boolean } = {}): void {
    if (this.#over || (this.#ending && !options.immediately)) return;
    this.#ending = true;
    const outcome = { return_code: null, error_message: "it was ended" };
    setTimeout(
      () => this.#finish(outcome),
      options.immediately ? 5 : 5 + this.#ran.owner.random.between(0, 800),
    );
  }

  #finish(outcome: Omit<RunOutcome, "progress">): void {
    if (this.#over) return;
    this.#over = true;
    this.#ran.isOver = true;
    const { progress } = this.#ran;
    this.#end.resolve({ ...outcome, progress: { ...progress } });
  }
}

/** PLAY RECAP's columns after so many play tasks on one host. */
function progressOf(done: number, { failed }: { failed: boolean }): Progress {
  return {
    ...NO_PROGRESS,
    tasks_total: PLAY_TASKS,
    tasks_ok: failed ? done - 1 : done,
    tasks_failed: failed ? 1 : 0,
    current_task: done < PLAY_TASKS ? `play task ${done + 1}` : null,
  };
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/**
 * A worker as users start it: a process of its own, under exactly the flags of
 * `deno task start`.
 *
 * @module
 */
import { ROOT, startArguments } from "../../dev/programs.ts";
import type { Inner } from "./inner_worker.ts";
import type { Project } from "./project.ts";
import { within } from "./waiting.ts";

/** How a worker is started. */
export interface WorkerOptions {
  project: Project;
  port: number;
  id?: string;
  mqtt?: Record<string, unknown>;
  worker?: Record<string, unknown>;
  config?: Record<string, unknown>;
  /** Variables beside those of the project. */
  env?: Record<string, string>;
  /** Under the narrowest permissions, not those of the start task. */
  narrow?: boolean;
  /** What is set from within, under the flags of the start task all the same. */
  inner?: Inner;
  /** Changes the arguments of `deno`. */
  arguments?: (start: string[]) => string[];
  /** The words that start a program of its own, before `-c FILE`. */
  program?: readonly string[];
}

/**
 * Workers that give up on a peer soon. That all keep to `TIMING` itself is seen
 * where "a worker that is gone for good" is tested.
 */
export const IMPATIENT: Inner = {
  timing: { willDelaySeconds: 1, returnMs: 1000, turnMs: 10_000 },
};

/** A running worker. */
export class Worker implements AsyncDisposable {
  readonly id: string;
  /** Settles when it has ended, and all that it has logged is read. */
  readonly exited: Promise<Deno.CommandStatus>;
  readonly #child: Deno.ChildProcess;
  readonly #listeners = new Set<() => void>();
  #log = "";
  #over = false;
  #isRead = false;

  private constructor(id: string, child: Deno.ChildProcess) {
    this.id = id;
    this.#child = child;
    child.status.then(() => this.#over = true);
    this.exited = Promise.all([child.status, this.#read()])
      .then(([status]) => {
        this.#isRead = true;
        this.#tell();
        return status;
      });
  }

  /** Starts it, and does not wait. */
  static async spawn(options: WorkerOptions): Promise<Worker> {
    const { project, port, id = "w1" } = options;
    const file = project.path(`${id}.yaml`);
    await Deno.writeTextFile(
      file,
      JSON.stringify({
        mqtt: {
          host: "127.0.0.1",
          port,
          reconnect_min: 0.1,
          reconnect_max: 1,
          ...options.mqtt,
        },
        worker: {
          group_name: "test",
          worker_id: id,
          playbook_directory: project.directory,
          kill_grace: 1,
          shutdown_grace: 1,
          status_interval: 0.2,
          ...options.worker,
        },
        log_level: "DEBUG",
        ...options.config,
      }),
    );
    const env = {
      PATH: Deno.env.get("PATH") ?? "",
      DENO_DIR: await denoDirectory(),
      NO_COLOR: "1",
      ...project.environment(id),
      ...options.env,
    };
    const [program, ...before] = options.program ??
      [Deno.execPath(), ...startArguments()];
    if (options.inner) {
      before.splice(
        -1,
        1,
        `${ROOT}tests/harness/inner_worker.ts`,
        JSON.stringify(options.inner),
      );
    }
    const args = options.narrow
      ? await narrowest(file, { env })
      : [...before, "-c", file];
    return new Worker(
      id,
      new Deno.Command(program!, {
        args: options.arguments ? options.arguments(args) : args,
        clearEnv: true,
        env,
        stdin: "null",
        stdout: "null",
        stderr: "piped",
      }).spawn(),
    );
  }

  /** Starts it, and waits until it is ready for tasks. */
  static async start(options: WorkerOptions): Promise<Worker> {
    await using stack = new AsyncDisposableStack();
    const worker = stack.use(await Worker.spawn(options));
    await worker.logged("ready for tasks");
    stack.move();
    return worker;
  }

  /** What it has logged so far. */
  get log(): string {
    return this.#log;
  }

  /** Whether it has ended, by itself or not. */
  get isOver(): boolean {
    return this.#over;
  }

  /** Its process id. */
  get pid(): number {
    return this.#child.pid;
  }

  /** Settles when it has logged a text, `times` times. */
  async logged(text: string, times = 1): Promise<void> {
    const there = () => this.#log.split(text).length > times;
    if (there()) return;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const listener = () => {
      if (there()) resolve();
      else if (this.#isRead) {
        reject(new Error(`the worker ended:\n${this.#log}`));
      }
    };
    this.#listeners.add(listener);
    listener();
    await within(
      () => `"${text}" in the log:\n${this.#log.slice(-3000)}`,
      promise,
    ).finally(() => this.#listeners.delete(listener));
  }

  /** Sends it a signal. */
  signal(signal: Deno.Signal): void {
    this.#child.kill(signal);
  }

  /** Asks it to stop; returns its exit code. */
  async stop(signal: Deno.Signal = "SIGTERM"): Promise<number> {
    this.#end(signal);
    return (await this.exited).code;
  }

  /** Kills it. */
  async kill(): Promise<void> {
    this.#end("SIGKILL");
    await this.exited;
  }

  /** Settles when it has ended and all that it has logged is read. */
  async ended(): Promise<void> {
    await this.exited;
  }

  /** Its resident memory, in MB. */
  async memory(): Promise<number> {
    const status = await Deno.readTextFile(`/proc/${this.pid}/status`);
    return Number(/VmRSS:\s*(\d+)/.exec(status)![1]) / 1024;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }

  #end(signal: Deno.Signal): void {
    if (this.#over) return;
    try {
      this.signal(signal);
    } catch {
      // It has ended just now.
    }
  }

  async #read(): Promise<void> {
    const texts = this.#child.stderr.pipeThrough(new TextDecoderStream());
    for await (const text of texts) {
      this.#log += text;
      this.#tell();
    }
  }

  #tell(): void {
    for (const listener of [...this.#listeners]) listener();
  }
}

/** The arguments of `deno` that the program itself asks for. */
export async function narrowest(
  file: string,
  { env, program = "worker" }: {
    env: Record<string, string>;
    program?: "worker" | "web";
  },
): Promise<string[]> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--allow-env",
      "--allow-read",
      startArguments().at(-1)!,
      "permissions",
      "--for",
      program,
      "-c",
      file,
    ],
    clearEnv: true,
    env,
  }).output();
  const text = new TextDecoder();
  if (!success) throw new Error(text.decode(stderr));
  return text.decode(stdout).trim().split(" ").slice(1);
}

let cache: string | undefined;

/** Where this Deno keeps its cache: a worker has another home. */
export async function denoDirectory(): Promise<string> {
  if (cache === undefined) {
    const { stdout } = await new Deno.Command(Deno.execPath(), {
      args: ["info", "--json"],
      stderr: "null",
    }).output();
    cache = JSON.parse(new TextDecoder().decode(stdout)).denoDir as string;
  }
  return cache;
}

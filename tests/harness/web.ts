/**
 * The page's server as users start it: a process of its own, under exactly the
 * flags of `deno task web`.
 *
 * @module
 */
import { freePort, webArguments } from "../../dev/programs.ts";
import { ListeningProgram } from "./listening.ts";
import type { Project } from "./project.ts";
import { denoDirectory, narrowest } from "./worker.ts";

/** How it is started. */
export interface WebOptions {
  project: Project;
  /** The broker's. */
  port: number;
  /** The section of the configuration, beside where it listens and its file. */
  web?: Record<string, unknown>;
  /** Its name, where there are several; the same again has the same database. */
  id?: string;
  /** Sections of the configuration beside it. */
  config?: Record<string, unknown>;
  /** Under the narrowest permissions, not those of the task. */
  narrow?: boolean;
}

/** A running server. */
export class Web implements AsyncDisposable {
  readonly #port: number;
  readonly #args: string[];
  #program: ListeningProgram | null = null;

  private constructor(port: number, args: string[]) {
    this.#port = port;
    this.#args = args;
  }

  /** Starts it, and waits until it listens. */
  static async start(
    { project, port, web = {}, id = "web", config = {}, narrow }: WebOptions,
  ): Promise<Web> {
    const own = freePort();
    const file = project.path(`${id}.yaml`);
    await Deno.writeTextFile(
      file,
      JSON.stringify({
        mqtt: { host: "127.0.0.1", port, reconnect_min: 0.1, reconnect_max: 1 },
        worker: { group_name: "test" },
        web: {
          listen: `127.0.0.1:${own}`,
          database: project.path(`${id}.db`),
          ...web,
        },
        log_level: "DEBUG",
        ...config,
      }),
    );
    const args = narrow
      ? await narrowest(file, {
        env: { PATH: "/usr/bin", DENO_DIR: await denoDirectory() },
        program: "web",
      })
      : [...webArguments(), "-c", file];
    const running = new Web(own, args);
    await running.start();
    return running;
  }

  /** Starts it again, where it was, with what it has kept. */
  async start(): Promise<void> {
    this.#program = await ListeningProgram.start({
      program: Deno.execPath(),
      args: this.#args,
      ports: [this.#port],
    });
  }

  /** Where it is: `http://127.0.0.1:PORT`. */
  get address(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** What it has logged lately. */
  get log(): string {
    return this.#program?.said ?? "";
  }

  /** Its process id. */
  get pid(): number {
    return this.#program!.pid;
  }

  /** Asks it to end, and waits until it has. */
  async stop(): Promise<void> {
    await this.#program?.end("SIGTERM");
  }

  /** Ends it at once. */
  async kill(): Promise<void> {
    await this.#program?.end("SIGKILL");
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}

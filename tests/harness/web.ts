/**
 * The page's server as users start it: a process of its own, under exactly the
 * flags of `deno task web`.
 *
 * @module
 */
import { freePort, webArguments } from "../../dev/programs.ts";
import { ListeningProgram } from "./listening.ts";
import type { Project } from "./project.ts";

/** How it is started. */
export interface WebOptions {
  project: Project;
  /** The broker's. */
  port: number;
  /** The section of the configuration, beside where it listens and its file. */
  web?: Record<string, unknown>;
  /** Its name, where there are several. */
  id?: string;
}

/** A running server. */
export class Web implements AsyncDisposable {
  /** Where it is: `http://127.0.0.1:PORT`. */
  readonly address: string;
  readonly #program: ListeningProgram;

  private constructor(address: string, program: ListeningProgram) {
    this.address = address;
    this.#program = program;
  }

  /** Starts it, and waits until it listens. */
  static async start(
    { project, port, web = {}, id = "web" }: WebOptions,
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
      }),
    );
    return new Web(
      `http://127.0.0.1:${own}`,
      await ListeningProgram.start({
        program: Deno.execPath(),
        args: [...webArguments(), "-c", file],
        ports: [own],
        seconds: 30,
      }),
    );
  }

  /** What it has logged lately. */
  get log(): string {
    return this.#program.said;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#program.end("SIGTERM");
  }
}

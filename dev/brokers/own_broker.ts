/**
 * A broker that is started for one scenario, in a directory of its own.
 *
 * @module
 */
import {
  type Listening,
  ListeningProgram,
} from "../../tests/harness/listening.ts";
import { freePort } from "../programs.ts";
import type { RunningBroker } from "./kind.ts";

/** Where it is to listen, and to keep what it has to keep. */
export interface Place {
  port: number;
  directory: string;
}

/** What starts a broker at a place. */
export type Command = (
  place: Place,
) => Omit<Listening, "ports"> | Promise<Omit<Listening, "ports">>;

/** A broker of ours. */
export class OwnBroker implements RunningBroker {
  readonly #place: Place;
  readonly #command: Command;
  #running: ListeningProgram | null = null;

  private constructor(command: Command, place: Place) {
    this.#command = command;
    this.#place = place;
  }

  /** Starts one with nothing in it. */
  static async start(command: Command): Promise<OwnBroker> {
    await using stack = new AsyncDisposableStack();
    const broker = stack.use(
      new OwnBroker(command, {
        port: freePort(),
        directory: await Deno.makeTempDir({ prefix: "broker-" }),
      }),
    );
    await broker.start();
    stack.move();
    return broker;
  }

  get port(): number {
    return this.#place.port;
  }

  get isOver(): boolean {
    return this.#running?.isOver ?? false;
  }

  get said(): string {
    return this.#running?.said ?? "";
  }

  /** Starts it again. */
  async start(): Promise<void> {
    this.#running = await ListeningProgram.start({
      // A virtual machine on a busy computer takes its time.
      seconds: 60,
      ...await this.#command(this.#place),
      ports: [this.port],
    });
  }

  /** Ends it in order. */
  async stop(): Promise<void> {
    await this.#running?.end("SIGTERM");
    this.#running = null;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#running?.end("SIGKILL");
    await Deno.remove(this.#place.directory, { recursive: true });
  }
}

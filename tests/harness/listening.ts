/**
 * A program that listens on ports of the loopback address.
 *
 * @module
 */
import { PATIENCE, pause } from "./waiting.ts";

/** How many bytes are kept of what it writes. */
const MAX_KEPT = 1_000_000;

/** What to start. */
export interface Listening {
  program: string;
  args: string[];
  /** Where it accepts connections once it has started. */
  ports: number[];
  cwd?: string;
  /** How long it may take to start, in seconds. */
  seconds?: number;
}

/** A running program. */
export class ListeningProgram implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #read: Promise<unknown>;
  #said = "";
  #over = false;

  private constructor(child: Deno.ChildProcess) {
    this.#child = child;
    child.status.then(() => this.#over = true);
    this.#read = Promise.all([
      this.#keep(child.stdout),
      this.#keep(child.stderr),
    ]);
  }

  /**
   * Starts it, and waits until it listens.
   *
   * @throws it has ended before, or does not listen in time; the message has
   * what it has written
   */
  static async start(options: Listening): Promise<ListeningProgram> {
    const { program, args, ports, cwd, seconds = PATIENCE } = options;
    const running = new ListeningProgram(
      new Deno.Command(program, {
        args,
        ...(cwd === undefined ? {} : { cwd }),
        stdin: "null",
        stdout: "piped",
        stderr: "piped",
      }).spawn(),
    );
    const ended = new AbortController();
    running.#child.status.then(() => ended.abort());
    try {
      for (const port of ports) {
        await accepting(port, { signal: ended.signal, seconds });
      }
    } catch (error) {
      await running.end("SIGKILL");
      throw new Error(`${program} did not start: ${running.#said}`, {
        cause: error,
      });
    }
    return running;
  }

  /** Whether it has ended, by itself or not. */
  get isOver(): boolean {
    return this.#over;
  }

  /** What it has written lately. */
  get said(): string {
    return this.#said;
  }

  /** Its process id. */
  get pid(): number {
    return this.#child.pid;
  }

  /** Sends it a signal. */
  signal(signal: Deno.Signal): void {
    try {
      this.#child.kill(signal);
    } catch {
      // It has ended by itself.
    }
  }

  /** Ends it, and waits until it has. */
  async end(signal: Deno.Signal): Promise<void> {
    this.signal(signal);
    await Promise.all([this.#child.status, this.#read]);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.end("SIGTERM");
  }

  async #keep(stream: ReadableStream<Uint8Array>): Promise<void> {
    for await (const text of stream.pipeThrough(new TextDecoderStream())) {
      this.#said = (this.#said + text).slice(-MAX_KEPT);
    }
  }
}

/**
 * Settles when a port accepts connections, of this machine if no other is named;
 * rejects when it is not to be.
 */
export async function accepting(
  port: number,
  { hostname = "127.0.0.1", signal, seconds = PATIENCE }: {
    hostname?: string;
    signal?: AbortSignal;
    seconds?: number;
  } = {},
): Promise<void> {
  const end = performance.now() + seconds * 1000;
  for (;;) {
    signal?.throwIfAborted();
    try {
      (await Deno.connect({ hostname, port })).close();
      signal?.throwIfAborted();
      return;
    } catch (error) {
      if (performance.now() > end) throw error;
      await pause(0.02);
    }
  }
}

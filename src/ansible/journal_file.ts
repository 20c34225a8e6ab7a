/**
 * The file of the journal: what is written is on the disk.
 *
 * Deno's sandbox lets the worker write no files, so that a process in the place
 * of an `ansible-playbook` keeps it (see `python/ansible_worker_journal.py`).
 * Should that die, the next line gets another one.
 *
 * @module
 */
import { ProtocolError, readLines } from "./lines.ts";
import { pythonDirectory, pythonMissing } from "./python_files.ts";

/** The journal cannot be written; the message says why. */
export class JournalError extends Error {
  override name = "JournalError";
}

/** What a journal needs. */
export interface JournalFileOptions {
  /** Where it is. */
  path: string;
  /** How much is kept of what is over; see the Python file. */
  kept: { seconds: number; atMost: number };
  /** The environment of the process that writes it. */
  environment: Record<string, string>;
}

/** An open journal. */
export class JournalFile implements AsyncDisposable {
  /** What was in it when it was opened, oldest first. */
  readonly lines: readonly string[];
  /** How many lines could not be read, and are gone. */
  readonly unreadable: number;
  readonly #options: JournalFileOptions;
  #keeper: Promise<Keeper>;

  private constructor(options: JournalFileOptions, keeper: Keeper) {
    this.#options = options;
    this.#keeper = Promise.resolve(keeper);
    this.lines = keeper.lines;
    this.unreadable = keeper.unreadable;
  }

  /**
   * Opens a journal, and makes it if there is none.
   *
   * @throws {JournalError} it cannot be written
   */
  static async open(options: JournalFileOptions): Promise<JournalFile> {
    return new JournalFile(options, await Keeper.start(options));
  }

  /**
   * Writes a line; settles when it is on the disk.
   *
   * @throws {JournalError} it is not
   */
  async append(line: string): Promise<void> {
    const before = this.#keeper;
    const keeper = await before.catch(() => null);
    if ((!keeper || keeper.isGone) && this.#keeper === before) {
      this.#keeper = Keeper.start(this.#options);
      this.#keeper.catch(() => {});
    }
    await (await this.#keeper).append(line);
  }

  /** Leaves when all is written. */
  async [Symbol.asyncDispose](): Promise<void> {
    const keeper = await this.#keeper.catch(() => null);
    await keeper?.[Symbol.asyncDispose]();
  }
}

/** What is said of the file. */
interface Answer {
  written?: number;
  refused?: number;
  error?: string;
}

/** One process that keeps the file. */
class Keeper implements AsyncDisposable {
  readonly lines: string[] = [];
  unreadable = 0;
  isGone = false;
  readonly #path: string;
  readonly #child: Deno.ChildProcess;
  readonly #stdin: WritableStreamDefaultWriter<Uint8Array>;
  readonly #ready = Promise.withResolvers<void>();
  /** Those who wait for their lines to be written, in their order. */
  readonly #waiting: PromiseWithResolvers<void>[] = [];

  private constructor({ path, environment }: JournalFileOptions) {
    this.#path = path;
    this.#child = new Deno.Command("ansible-playbook", {
      clearEnv: true,
      env: {
        ...environment,
        PYTHONPATH: pythonDirectory(),
        ANSIBLE_WORKER_JOURNAL: "1",
      },
      stdin: "piped",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    this.#stdin = this.#child.stdin.getWriter();
    this.#stdin.closed.catch(() => {});
    void this.#read();
  }

  static async start(options: JournalFileOptions): Promise<Keeper> {
    const keeper = new Keeper(options);
    const { path, kept } = options;
    keeper.#write(JSON.stringify({
      path,
      kept_seconds: kept.seconds,
      kept_at_most: kept.atMost,
    }));
    await keeper.#ready.promise;
    return keeper;
  }

  async append(line: string): Promise<void> {
    if (this.isGone) throw this.#error("what writes it is gone");
    const written = Promise.withResolvers<void>();
    this.#waiting.push(written);
    this.#write(line);
    await written.promise;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stdin.close().catch(() => {});
    await this.#child.status;
  }

  #write(line: string): void {
    // Whoever waits for it learns of it when the process is gone.
    this.#stdin.write(new TextEncoder().encode(`${line}\n`)).catch(() => {});
  }

  #error(reason: string): JournalError {
    return new JournalError(
      `cannot write the journal "${this.#path}": ${reason}`,
    );
  }

  async #read(): Promise<void> {
    let why: string | undefined;
    try {
      for await (const line of readLines(this.#child.stdout)) {
        why = this.#take(line) ?? why;
      }
    } catch (error) {
      why = (error as Error).message;
      this.#child.kill("SIGKILL");
    }
    this.isGone = true;
    const { code, signal } = await this.#child.status;
    const error = this.#error(
      why ?? await pythonMissing() ??
        `what writes it has ended with ${signal ?? code}`,
    );
    this.#ready.promise.catch(() => {});
    this.#ready.reject(error);
    for (const waiting of this.#waiting.splice(0)) waiting.reject(error);
  }

  /** @returns why it is of no use, if it says so */
  #take(line: string): string | null {
    const said = parse(line);
    if (said.task_id !== undefined) {
      this.lines.push(line);
      return null;
    }
    if (said.ready) {
      this.unreadable = Number(said.unreadable);
      this.#ready.resolve();
      return null;
    }
    const { error, refused, written } = said as Answer;
    for (const waiting of this.#waiting.splice(0, written ?? refused ?? 0)) {
      if (written) waiting.resolve();
      else waiting.reject(this.#error(String(error)));
    }
    return written || refused ? null : String(error);
  }
}

function parse(line: string): Record<string, unknown> {
  try {
    const said: unknown = JSON.parse(line);
    if (typeof said === "object" && said !== null) {
      return said as Record<string, unknown>;
    }
  } catch {
    // Said below.
  }
  throw new ProtocolError(
    `what writes it says ${JSON.stringify(line.slice(0, 200))}`,
  );
}

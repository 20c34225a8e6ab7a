/**
 * What another process of the same user, or root, can read in /proc of a process
 * and all that descend from it.
 *
 * @module
 */
import { pause } from "./waiting.ts";

/** A text that was seen. */
export interface Finding {
  /** Which of the texts. */
  text: string;
  /** Where it stood. */
  where: "arguments" | "environment";
  /** The arguments of the process, joined by spaces. */
  command: string;
}

/** Reads all along, until it is stopped. */
export class ProcReader implements AsyncDisposable {
  /** Each finding once, by text, place and process. */
  readonly findings = new Map<string, Finding>();
  /** How many processes have been read, each as often as it was. */
  reads = 0;
  readonly #texts: readonly string[];
  readonly #root: number;
  readonly #reading: Promise<void>;
  #stopped = false;

  /** Begins to read. */
  constructor(root: number, texts: readonly string[]) {
    this.#root = root;
    this.#texts = texts;
    this.#reading = this.#read();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped = true;
    await this.#reading;
  }

  async #read(): Promise<void> {
    while (!this.#stopped) {
      for (const pid of descendants(this.#root)) this.#look(pid);
      await pause(0.001);
    }
  }

  #look(pid: number): void {
    try {
      const command = commandOf(pid);
      const environment = Deno.readTextFileSync(`/proc/${pid}/environ`);
      // In the moment in which it becomes another program, what was read is of
      // the one and of the other; the next look is at the other alone.
      if (command === "" || commandOf(pid) !== command) return;
      this.reads++;
      for (const text of this.#texts) {
        for (
          const [where, seen] of [
            ["arguments", command],
            ["environment", environment],
          ] as const
        ) {
          if (!seen.includes(text)) continue;
          this.findings.set(`${pid} ${where} ${text} ${command}`, {
            text,
            where,
            command,
          });
        }
      }
    } catch {
      // It has ended meanwhile.
    }
  }
}

function commandOf(pid: number): string {
  return Deno.readTextFileSync(`/proc/${pid}/cmdline`)
    .replaceAll("\0", " ").trim();
}

/** A process and all that descend from it, by each of their threads. */
function descendants(root: number): number[] {
  const found: number[] = [];
  const queue = [root];
  for (let pid = queue.pop(); pid !== undefined; pid = queue.pop()) {
    found.push(pid);
    try {
      for (const { name } of Deno.readDirSync(`/proc/${pid}/task`)) {
        const text = Deno.readTextFileSync(
          `/proc/${pid}/task/${name}/children`,
        );
        queue.push(...text.split(" ").filter(Boolean).map(Number));
      }
    } catch {
      // It has ended meanwhile.
    }
  }
  return found;
}

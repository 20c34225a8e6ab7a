/**
 * A program in a terminal: a pseudo-terminal of a given size, and what a person
 * would see in it.
 *
 * @module
 */
import { within } from "./waiting.ts";

/**
 * Opens the pseudo-terminal, which Deno cannot. What comes on its standard
 * input is typed; `\0COLUMNS ROWS\n` changes the size, and comes out again where
 * that has happened among what the program writes.
 */
const PTY = `
import fcntl, os, pty, select, signal, struct, sys, termios

def size(fd, columns, rows):
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

columns, rows, program = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
pid, fd = pty.fork()
if pid == 0:
    size(0, columns, rows)
    os.execvp(program[0], program)
typing = True
while True:
    ready = select.select([fd] + ([0] if typing else []), [], [])[0]
    if fd in ready:
        try:
            data = os.read(fd, 65536)
        except OSError:
            data = b""
        if not data:
            break
        os.write(1, data)
    elif 0 in ready:
        data = os.read(0, 4096)
        if not data:
            typing = False
        elif data[:1] == b"\\0":
            size(fd, *map(int, data[1:].split()))
            os.write(1, data)
            os.kill(pid, signal.SIGWINCH)
        else:
            os.write(fd, data)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) & 255)
`;

/** A change of the size, as it comes out again. */
const RESIZED = /\0(\d+) \d+\n/;

/** As much of one as has come. */
const BEGINNING = /\0[\d ]*$/;

/** How a program is started. */
export interface TerminalOptions {
  columns?: number;
  rows?: number;
  env?: Record<string, string>;
  cwd?: string;
}

/** A program in a terminal. */
export class Terminal implements AsyncDisposable {
  /** Everything that it has written, with all that controls the terminal. */
  raw = "";
  readonly exited: Promise<number>;
  /** Whether it has ended. */
  isOver = false;
  readonly #child: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  readonly #reading: Promise<void>;
  readonly #listeners = new Set<() => void>();
  readonly #display: Display;

  private constructor(child: Deno.ChildProcess, columns: number) {
    this.#child = child;
    this.#display = new Display(columns);
    this.#input = child.stdin.getWriter();
    this.#reading = this.#read();
    this.exited = Promise.all([child.status, this.#reading])
      .then(([{ code }]) => {
        this.isOver = true;
        return code;
      });
  }

  /** Runs a program in a terminal. */
  static run(command: string[], options: TerminalOptions = {}): Terminal {
    const { columns = 80, rows = 24, env = {}, cwd } = options;
    const { NO_COLOR: _, ...ours } = Deno.env.toObject();
    return new Terminal(
      new Deno.Command("python3", {
        args: ["-c", PTY, String(columns), String(rows), ...command],
        clearEnv: true,
        env: { ...ours, TERM: "xterm-256color", ...env },
        ...(cwd !== undefined && { cwd }),
        stdin: "piped",
        stdout: "piped",
        stderr: "null",
      }).spawn(),
      columns,
    );
  }

  /** The lines that a person sees, and those that have scrolled away. */
  get lines(): string[] {
    return this.#display.lines;
  }

  /** The same as one text. */
  get text(): string {
    return this.lines.join("\n");
  }

  /** Settles when the person sees what fits. */
  shows(fits: RegExp): Promise<void> {
    return this.#until(() => fits.test(this.text), `${fits} in`);
  }

  /** Settles when the person no longer sees what fits. */
  hides(fits: RegExp): Promise<void> {
    return this.#until(() => !fits.test(this.text), `the end of ${fits} in`);
  }

  async #until(holds: () => boolean, what: string): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const listener = () => {
      if (holds()) resolve();
    };
    this.#listeners.add(listener);
    listener();
    await within(() => `${what}:\n${this.text}`, promise)
      .finally(() => this.#listeners.delete(listener));
  }

  /** Types something; `\x03` is Ctrl-C. */
  async type(text: string): Promise<void> {
    // It may have ended just now.
    await this.#input.write(new TextEncoder().encode(text)).catch(() => {});
  }

  /** Makes the terminal wider or narrower. */
  async resize(columns: number, rows: number): Promise<void> {
    await this.type(`\0${columns} ${rows}\n`);
    await this.#until(
      () => this.#display.columns === columns,
      `${columns} columns of`,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#child.kill("SIGKILL");
    } catch {
      // It has ended.
    }
    await this.exited;
    await this.#input.close().catch(() => {});
  }

  async #read(): Promise<void> {
    const texts = this.#child.stdout.pipeThrough(new TextDecoderStream());
    let rest = "";
    for await (const text of texts) {
      const pieces = (rest + text).split(RESIZED);
      const last = pieces.pop()!;
      for (let i = 0; i < pieces.length; i += 2) {
        this.#write(pieces[i]!);
        this.#display.columns = Number(pieces[i + 1]);
      }
      rest = BEGINNING.exec(last)?.[0] ?? "";
      this.#write(last.slice(0, last.length - rest.length));
      for (const listener of [...this.#listeners]) listener();
    }
  }

  #write(text: string): void {
    this.raw += text;
    this.#display.write(text);
  }
}

/** As much of a terminal as the program makes use of. */
class Display {
  columns: number;
  readonly #rows: string[][] = [[]];
  #row = 0;
  #column = 0;
  #pending = "";

  constructor(columns: number) {
    this.columns = columns;
  }

  get lines(): string[] {
    return this.#rows.map((row) =>
      Array.from(row, (c) => c ?? " ").join("").trimEnd()
    );
  }

  write(text: string): void {
    let rest = this.#pending + text;
    this.#pending = "";
    while (rest !== "") {
      if (rest.startsWith("\u001b")) {
        // deno-lint-ignore no-control-regex
        const found = /^\u001b\[([\d;?]*)([A-Za-z])/.exec(rest);
        if (!found) {
          this.#pending = rest;
          return;
        }
        this.#control(found[2]!, Number(found[1] || 1));
        rest = rest.slice(found[0].length);
        continue;
      }
      const character = String.fromCodePoint(rest.codePointAt(0)!);
      this.#put(character);
      rest = rest.slice(character.length);
    }
  }

  #control(letter: string, count: number): void {
    if (letter === "A") this.#row = Math.max(0, this.#row - count);
    else if (letter === "J") {
      this.#rows.length = this.#row + 1;
      this.#rows[this.#row]!.length = this.#column;
    } else if (letter !== "m") throw new Error(`unknown control: ${letter}`);
  }

  #put(character: string): void {
    if (character === "\r") this.#column = 0;
    else if (character === "\n") this.#down();
    else {
      if (this.#column >= this.columns) {
        this.#column = 0;
        this.#down();
      }
      this.#rows[this.#row]![this.#column++] = character;
    }
  }

  #down(): void {
    this.#row++;
    this.#rows[this.#row] ??= [];
  }
}

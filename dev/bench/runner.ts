/**
 * ansible-runner, from PyPI, as a program uses it that has imported it.
 *
 * @module
 */
import { pythonWith } from "../python.ts";
import type { Scene } from "./scene.ts";

const REQUIREMENT = "ansible-runner==2.4.3";

/** Runs one playbook a line, in a process that has imported it. */
const PROGRAM = `
import sys, ansible_runner
directory = sys.argv[1]
print("ready", flush=True)
for line in sys.stdin:
    result = ansible_runner.run(
        private_data_dir=directory, project_dir=sys.argv[2],
        playbook=line.strip(), inventory=sys.argv[2] + "/hosts", quiet=True)
    print(result.status, flush=True)
`;

/** A Python program that uses ansible-runner. */
export class Runner implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #lines: AsyncIterator<string>;
  readonly #stdin: WritableStreamDefaultWriter<Uint8Array>;

  private constructor(child: Deno.ChildProcess) {
    this.#child = child;
    this.#stdin = child.stdin.getWriter();
    this.#lines = lines(child.stdout);
  }

  static async start({ project }: Scene): Promise<Runner> {
    const python = await pythonWith(REQUIREMENT);
    const directory = project.path("runner");
    await Deno.mkdir(directory);
    const runner = new Runner(
      new Deno.Command(python, {
        args: ["-c", PROGRAM, directory, project.directory],
        cwd: project.directory,
        env: { ...project.environment("hand"), LC_ALL: "C.UTF-8" },
        stdin: "piped",
        stdout: "piped",
        stderr: "null",
      }).spawn(),
    );
    await runner.#expect("ready");
    return runner;
  }

  /** Runs a playbook; in seconds. */
  async run(playbook: string): Promise<number> {
    const since = performance.now();
    await this.#stdin.write(new TextEncoder().encode(`${playbook}\n`));
    await this.#expect("successful");
    return (performance.now() - since) / 1000;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stdin.close();
    await this.#lines.return?.();
    await this.#child.status;
  }

  async #expect(text: string): Promise<void> {
    const { value } = await this.#lines.next();
    if (value !== text) throw new Error(`ansible-runner said: ${value}`);
  }
}

async function* lines(
  stream: ReadableStream<Uint8Array>,
): AsyncGenerator<string> {
  let rest = "";
  for await (const text of stream.pipeThrough(new TextDecoderStream())) {
    const all = (rest + text).split("\n");
    rest = all.pop()!;
    yield* all;
  }
}

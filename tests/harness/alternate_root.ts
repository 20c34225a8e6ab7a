/**
 * This machine as it is, to try things on that change it: whatever is written
 * there is gone afterwards, and was never here.
 *
 * A mount namespace of its own has an overlay of the whole file system, to which
 * the system's own programs can be pointed; processes and network are shared.
 * That takes root, and a kernel that lets it mount.
 *
 * @module
 */
import { dirname } from "node:path";
import { run } from "../../dev/distribution/run.ts";

/** Keeps the namespace until its stdin ends. What is temporary is shared. */
const KEEPER = `
set -e
root=$1 temporary=$2
mount -t tmpfs tmpfs "$root"
mkdir "$root/upper" "$root/work" "$root/all"
mount -t overlay overlay -o "lowerdir=/,upperdir=$root/upper,workdir=$root/work" "$root/all"
for kernel in proc dev; do mount --rbind "/$kernel" "$root/all/$kernel"; done
mount --bind "$temporary" "$root/all$temporary"
echo ready
exec cat >/dev/null
`;

/** A view of this machine that may be changed. */
export class AlternateRoot implements AsyncDisposable {
  readonly #directory: string;
  readonly #keeper: Deno.ChildProcess;

  private constructor(directory: string, keeper: Deno.ChildProcess) {
    this.#directory = directory;
    this.#keeper = keeper;
  }

  /** Whether this machine lets one be made. */
  static async isPossible(): Promise<boolean> {
    if (Deno.build.os !== "linux" || Deno.uid() !== 0) return false;
    try {
      await using root = await AlternateRoot.create();
      await root.run(["true"]);
      return true;
    } catch {
      return false;
    }
  }

  static async create(): Promise<AlternateRoot> {
    const directory = await Deno.makeTempDir({ prefix: "root-" });
    const keeper = new Deno.Command("unshare", {
      args: [
        "--mount",
        "sh",
        "-c",
        KEEPER,
        "sh",
        directory,
        dirname(directory),
      ],
      stdin: "piped",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    const root = new AlternateRoot(directory, keeper);
    const reader = keeper.stdout.getReader();
    const { value } = await reader.read();
    reader.releaseLock();
    if (new TextDecoder().decode(value) === "ready\n") return root;
    await root[Symbol.asyncDispose]();
    throw new Error("this machine does not let an overlay be mounted");
  }

  /** The words that run a command there. */
  words(command: readonly string[]): string[] {
    return [...this.#enter(), "chroot", `${this.#directory}/all`, ...command];
  }

  /**
   * Runs a command there to its end.
   *
   * @throws {Error} it failed; the message has what it said
   */
  run(command: readonly string[]): Promise<{ stdout: string; stderr: string }> {
    return run(this.words(command), { env: { LC_ALL: "C.UTF-8" } });
  }

  /** Paths, without the first slash, of all files that are not as they were. */
  async changed(): Promise<string[]> {
    const { stdout } = await run([
      ...this.#enter(),
      "find",
      `${this.#directory}/upper`,
      "-not",
      "-type",
      "d",
      "-printf",
      "%P\n",
    ]);
    return stdout.split("\n").filter(Boolean).sort();
  }

  #enter(): string[] {
    // With its root, which need not be that of the namespace: see chroot(2).
    return ["nsenter", `--target=${this.#keeper.pid}`, "--mount", "--root"];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#keeper.stdin.close().catch(() => {});
    await this.#keeper.stdout.cancel();
    await this.#keeper.status;
    await Deno.remove(this.#directory, { recursive: true });
  }
}

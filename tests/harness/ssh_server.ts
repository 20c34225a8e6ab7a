/**
 * An SSH server of a test's own, for the user that the test runs as.
 *
 * @module
 */
import { freePort } from "../../dev/programs.ts";
import { within } from "./waiting.ts";

const PROGRAM = "/usr/sbin/sshd";

/** A running server. */
export class SshServer implements AsyncDisposable {
  /** The value of `SSH_TEST_SERVER` in the environment of all it has started. */
  readonly mark: string;
  readonly #port: number;
  readonly #directory: string;
  readonly #child: Deno.ChildProcess;
  readonly #reading: Promise<void>;

  private constructor(
    child: Deno.ChildProcess,
    { port, directory, reading }: {
      port: number;
      directory: string;
      reading: Promise<void>;
    },
  ) {
    this.mark = directory;
    this.#child = child;
    this.#port = port;
    this.#directory = directory;
    this.#reading = reading;
  }

  /** Whether there is a server on this machine. */
  static isInstalled(): boolean {
    try {
      return Deno.statSync(PROGRAM).isFile;
    } catch {
      return false;
    }
  }

  /** Starts it on a free port, with its files in a directory that it makes. */
  static async start(directory: string): Promise<SshServer> {
    await Deno.mkdir(directory, { mode: 0o700 });
    for (const name of ["host_key", "key"]) {
      await run(
        "ssh-keygen",
        "-q",
        "-t",
        "ed25519",
        "-N",
        "",
        "-f",
        `${directory}/${name}`,
      );
    }
    // As the administrator it wants an empty directory that is its own.
    if (Deno.uid() === 0) await Deno.mkdir("/run/sshd", { recursive: true });
    const port = freePort();
    await Deno.writeTextFile(
      `${directory}/sshd_config`,
      [
        `ListenAddress 127.0.0.1`,
        `Port ${port}`,
        // Many hosts may be it, and be connected to at once.
        `MaxStartups 100`,
        `HostKey ${directory}/host_key`,
        `AuthorizedKeysFile ${directory}/key.pub`,
        `PidFile none`,
        `StrictModes no`,
        `UsePAM no`,
        `PermitRootLogin prohibit-password`,
        `SetEnv SSH_TEST_SERVER=${directory}`,
      ].join("\n"),
    );
    const child = new Deno.Command(PROGRAM, {
      args: ["-D", "-e", "-f", `${directory}/sshd_config`],
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).spawn();
    const listening = Promise.withResolvers<void>();
    let text = "";
    const reading = (async () => {
      for await (
        const part of child.stderr.pipeThrough(new TextDecoderStream())
      ) {
        text += part;
        if (text.includes("Server listening")) listening.resolve();
      }
      listening.reject(new Error(`sshd has ended: ${text}`));
    })();
    await within(() => `sshd: ${text}`, listening.promise);
    return new SshServer(child, { port, directory, reading });
  }

  /** Where a directory is for git, with the key that opens it. */
  async repository(
    path: string,
  ): Promise<{ url: string; key: string; knownHosts: string }> {
    const knownHosts = `${this.#directory}/known_hosts`;
    const [type, key] = (await Deno.readTextFile(
      `${this.#directory}/host_key.pub`,
    )).split(" ");
    await Deno.writeTextFile(
      knownHosts,
      `[127.0.0.1]:${this.#port} ${type} ${key}\n`,
    );
    return {
      url: `ssh://127.0.0.1:${this.#port}${path}`,
      key: `${this.#directory}/key`,
      knownHosts,
    };
  }

  /**
   * An inventory with hosts that are this machine, over SSH. Each has a
   * connection of its own.
   */
  inventory(...names: string[]): string {
    return names.map((name) =>
      [
        name,
        "ansible_host=127.0.0.1",
        `ansible_port=${this.#port}`,
        `ansible_ssh_private_key_file=${this.#directory}/key`,
        `ansible_control_path_dir=~/.ansible/cp/${name}`,
        'ansible_ssh_common_args="-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null"',
      ].join(" ") + "\n"
    ).join("");
  }

  /** Ends it; who is connected stays connected. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGTERM");
    await this.#child.status;
    await this.#reading;
  }
}

async function run(program: string, ...args: string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command(program, { args })
    .output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
}

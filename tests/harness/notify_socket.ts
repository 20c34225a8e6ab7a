/**
 * A socket on which a service manager waits for notifications.
 *
 * Deno's own datagram sockets of the file system are unstable, so Python holds
 * this one.
 *
 * @module
 */
import { until } from "./waiting.ts";

const LISTENER = `
import json, socket, sys
manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
manager.bind(sys.argv[1])
while True:
    print(json.dumps(manager.recv(65536).decode()), flush=True)
`;

/** The socket, and what has come there. */
export class NotifySocket implements AsyncDisposable {
  /** What `NOTIFY_SOCKET` has to be. */
  readonly path: string;
  /** Each notification, in the order in which they came. */
  readonly told: string[] = [];
  readonly #directory: string;
  readonly #child: Deno.ChildProcess;
  readonly #reading: Promise<void>;

  private constructor(directory: string) {
    this.#directory = directory;
    this.path = `${directory}/notify`;
    this.#child = new Deno.Command("python3", {
      args: ["-c", LISTENER, this.path],
      stdin: "null",
      stdout: "piped",
    }).spawn();
    this.#reading = this.#read();
  }

  static async listen(): Promise<NotifySocket> {
    const socket = new NotifySocket(
      await Deno.makeTempDir({ prefix: "notify-" }),
    );
    await until(
      "the socket",
      () => Deno.stat(socket.path).then(() => true, () => false),
    );
    return socket;
  }

  /** Settles when a notification with this in it has come since so many. */
  async heard(text: string, since = 0): Promise<number> {
    const at = () =>
      this.told.findIndex((one, i) => i >= since && one.includes(text));
    await until(`the notification ${text}`, () => at() >= 0);
    return at();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#child.status;
    await this.#reading;
    await Deno.remove(this.#directory, { recursive: true });
  }

  async #read(): Promise<void> {
    let rest = "";
    for await (
      const text of this.#child.stdout.pipeThrough(new TextDecoderStream())
    ) {
      const lines = (rest + text).split("\n");
      rest = lines.pop()!;
      this.told.push(...lines.map((line) => JSON.parse(line) as string));
    }
  }
}

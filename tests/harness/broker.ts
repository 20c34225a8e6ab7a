/**
 * A real mosquitto on free ports of the loopback address.
 *
 * @module
 */
import { freePort, mosquitto } from "../../dev/programs.ts";

/** How a broker is set up. */
export interface BrokerOptions {
  /** Keeps sessions and messages over a restart. */
  persistence?: boolean;
  /** Lines that are added to its configuration. */
  extra?: string[];
  /** A TLS listener beside the plain one; see `certificates.ts`. */
  tls?: { ca: string; cert: string; key: string; clientCertificates: boolean };
  /** A WebSocket listener beside the plain one. */
  websockets?: boolean;
}

/** A running mosquitto. */
export class Broker implements AsyncDisposable {
  readonly port = freePort();
  readonly tlsPort = freePort();
  readonly websocketPort = freePort();
  readonly #options: BrokerOptions;
  readonly #directory: string;
  #child: Deno.ChildProcess | null = null;

  private constructor(options: BrokerOptions, directory: string) {
    this.#options = options;
    this.#directory = directory;
  }

  static async start(options: BrokerOptions = {}): Promise<Broker> {
    const broker = new Broker(
      options,
      await Deno.makeTempDir({ prefix: "broker-" }),
    );
    await broker.start();
    return broker;
  }

  /** Starts it, again after `stop()` or `kill()`, with the same ports. */
  async start(): Promise<void> {
    const { extra = [], persistence, tls, websockets } = this.#options;
    const file = `${this.#directory}/mosquitto.conf`;
    await Deno.writeTextFile(
      file,
      [
        ...(Deno.uid() === 0 ? ["user root"] : []),
        "per_listener_settings false",
        ...(extra.some((line) => line.startsWith("allow_anonymous"))
          ? []
          : ["allow_anonymous true"]),
        ...extra,
        ...(persistence
          ? [
            "persistence true",
            `persistence_location ${this.#directory}/`,
            "autosave_interval 1",
          ]
          : []),
        `listener ${this.port} 127.0.0.1`,
        ...(tls
          ? [
            `listener ${this.tlsPort} 127.0.0.1`,
            `cafile ${tls.ca}`,
            `certfile ${tls.cert}`,
            `keyfile ${tls.key}`,
            `require_certificate ${tls.clientCertificates}`,
          ]
          : []),
        ...(websockets
          ? [`listener ${this.websocketPort} 127.0.0.1`, "protocol websockets"]
          : []),
      ].join("\n") + "\n",
    );
    const program = await mosquitto();
    if (!program) throw new Error("mosquitto is missing: deno task set-up");
    this.#child = new Deno.Command(program, {
      args: ["-c", file],
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    await accepting(this.port);
  }

  /** Ends it in order, upon which it saves what it has. */
  async stop(): Promise<void> {
    await this.#end("SIGTERM");
  }

  /** Kills it. */
  async kill(): Promise<void> {
    await this.#end("SIGKILL");
  }

  /** It accepts connections and reads nothing. */
  pause(): void {
    this.#child?.kill("SIGSTOP");
  }

  /** It goes on. */
  resume(): void {
    this.#child?.kill("SIGCONT");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    await Deno.remove(this.#directory, { recursive: true });
  }

  async #end(signal: Deno.Signal): Promise<void> {
    const child = this.#child;
    this.#child = null;
    if (!child) return;
    child.kill(signal);
    await child.status;
  }
}

/** Settles when a port accepts connections. */
export async function accepting(port: number): Promise<void> {
  for (let attempt = 0;; attempt++) {
    try {
      (await Deno.connect({ hostname: "127.0.0.1", port })).close();
      return;
    } catch (error) {
      if (attempt === 500) throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

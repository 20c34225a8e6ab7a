/**
 * A real mosquitto on free ports of the loopback address.
 *
 * @module
 */
import { freePorts, mosquitto } from "../../dev/programs.ts";
import { ListeningProgram } from "./listening.ts";
import { until } from "./waiting.ts";

/** How a broker is set up. */
export interface BrokerOptions {
  /** Keeps sessions and messages over a restart. */
  persistence?: boolean;
  /** How often it saves them, in seconds; 1 if left out. */
  autosave?: number;
  /** Lines that are added to its configuration. */
  extra?: string[];
  /** A TLS listener beside the plain one; see `certificates.ts`. */
  tls?: { ca: string; cert: string; key: string; clientCertificates: boolean };
  /** A WebSocket listener beside the plain one. */
  websockets?: boolean;
}

/** A running mosquitto. */
export class Broker implements AsyncDisposable {
  readonly port: number;
  readonly tlsPort: number;
  readonly websocketPort: number;
  readonly #options: BrokerOptions;
  readonly #directory: string;
  #running: ListeningProgram | null = null;

  private constructor(options: BrokerOptions, directory: string) {
    this.#options = options;
    this.#directory = directory;
    [this.port, this.tlsPort, this.websocketPort] = freePorts(3) as [
      number,
      number,
      number,
    ];
  }

  static async start(options: BrokerOptions = {}): Promise<Broker> {
    for (let attempt = 1;; attempt++) {
      const broker = new Broker(
        options,
        await Deno.makeTempDir({ prefix: "broker-" }),
      );
      try {
        await broker.start();
        return broker;
      } catch (error) {
        await broker[Symbol.asyncDispose]();
        // Somebody else may have taken one of the ports meanwhile.
        if (attempt === 3) throw error;
      }
    }
  }

  /** Starts it, again after `stop()` or `kill()`, with the same ports. */
  async start(): Promise<void> {
    const { autosave = 1, extra = [], persistence, tls, websockets } =
      this.#options;
    const file = `${this.#directory}/mosquitto.conf`;
    await Deno.writeTextFile(
      file,
      [
        ...(Deno.uid() === 0 ? ["user root"] : []),
        "per_listener_settings false",
        `log_dest file ${this.#log}`,
        ...(extra.some((line) => line.startsWith("allow_anonymous"))
          ? []
          : ["allow_anonymous true"]),
        ...extra,
        ...(persistence
          ? [
            "persistence true",
            `persistence_location ${this.#directory}/`,
            `autosave_interval ${autosave}`,
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
    try {
      this.#running = await ListeningProgram.start({
        program,
        args: ["-c", file],
        ports: [
          this.port,
          ...(tls ? [this.tlsPort] : []),
          ...(websockets ? [this.websocketPort] : []),
        ],
      });
    } catch (error) {
      const log = await Deno.readTextFile(this.#log).catch(() => "");
      throw new Error(`${(error as Error).message}${log}`, { cause: error });
    }
  }

  /** Whether it has ended by itself. */
  get isOver(): boolean {
    return this.#running?.isOver ?? false;
  }

  /** What it has written lately beside its log. */
  get said(): string {
    return this.#running?.said ?? "";
  }

  get #log(): string {
    return `${this.#directory}/mosquitto.log`;
  }

  /** Ends it in order, upon which it saves what it has. */
  async stop(): Promise<void> {
    await this.#end("SIGTERM");
  }

  /** Kills it. */
  async kill(): Promise<void> {
    await this.#end("SIGKILL");
  }

  /** Has it save what it has, now. */
  async save(): Promise<void> {
    const file = `${this.#directory}/mosquitto.db`;
    const before = await inode(file);
    this.#running?.signal("SIGUSR1");
    // It writes another file, and puts that in its place.
    await until("the file", async () => await inode(file) !== before);
  }

  /** It accepts connections and reads nothing. */
  pause(): void {
    this.#running?.signal("SIGSTOP");
  }

  /** It goes on. */
  resume(): void {
    this.#running?.signal("SIGCONT");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    await Deno.remove(this.#directory, { recursive: true });
  }

  async #end(signal: Deno.Signal): Promise<void> {
    const running = this.#running;
    this.#running = null;
    await running?.end(signal);
  }
}

async function inode(file: string): Promise<number | null> {
  try {
    return (await Deno.stat(file)).ino;
  } catch {
    return null;
  }
}

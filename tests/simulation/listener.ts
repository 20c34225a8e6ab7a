/**
 * The simulated broker behind a TCP port, in real time: so it can be held
 * against the same tests as a real one.
 *
 * @module
 */
import { freePorts } from "../../dev/programs.ts";
import { pause } from "../harness/waiting.ts";
import { type Behaviour, MOSQUITTO } from "./broker/behaviour.ts";
import { Broker } from "./broker/broker.ts";
import type { Link, Time } from "./broker/link.ts";
import { Random } from "./random.ts";

/** Real time; what is not over yet can be called off. */
class RealTime implements Time {
  readonly #timers = new Set<ReturnType<typeof setTimeout>>();

  now(): number {
    return performance.now();
  }

  after(ms: number, action: () => void): { cancel(): void } {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      action();
    }, ms);
    this.#timers.add(timer);
    return {
      cancel: () => {
        clearTimeout(timer);
        this.#timers.delete(timer);
      },
    };
  }

  callOff(): void {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
  }
}

/** How a broker is set up. */
export interface ListeningBrokerOptions {
  /** Keeps sessions and messages over a restart. */
  persistence?: boolean;
  /** What it does that mosquitto does not. */
  behaviour?: Partial<Behaviour>;
  /** Puts other bytes in the place of a packet that it sends. */
  garble?: (packet: Uint8Array) => Uint8Array;
}

/** A simulated broker that listens on a port of the loopback address. */
export class ListeningBroker implements AsyncDisposable {
  readonly port: number;
  readonly #options: ListeningBrokerOptions;
  readonly #time = new RealTime();
  #broker: Broker;
  #listener: Deno.TcpListener | null = null;
  #serving: Promise<unknown>[] = [];

  private constructor(options: ListeningBrokerOptions) {
    [this.port] = freePorts(1) as [number];
    this.#options = options;
    this.#broker = this.#newBroker();
  }

  static async start(
    options: ListeningBrokerOptions = {},
  ): Promise<ListeningBroker> {
    const broker = new ListeningBroker(options);
    await broker.start();
    return broker;
  }

  /** Listens, again after `stop()` or `kill()`, on the same port. */
  start(): Promise<void> {
    if (!this.#broker.isUp) {
      if (this.#options.persistence) this.#broker.start();
      else this.#broker = this.#newBroker();
    }
    const listener = Deno.listen({ hostname: "127.0.0.1", port: this.port });
    this.#listener = listener;
    this.#serving = [this.#accept(listener)];
    return Promise.resolve();
  }

  /** It ends in order. */
  async stop(): Promise<void> {
    await this.#end({ inOrder: true });
  }

  /** It is killed. */
  async kill(): Promise<void> {
    await this.#end({ inOrder: false });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    this.#time.callOff();
    // MQTT.js has timers of 0 ms that it does not clear; a broker that is a
    // process takes longer than they do to end.
    await pause(0.005);
  }

  async #end(options: { inOrder: boolean }): Promise<void> {
    if (!this.#listener) return;
    this.#listener.close();
    this.#listener = null;
    this.#broker.stop(options);
    await Promise.all(this.#serving);
  }

  #newBroker(): Broker {
    return new Broker({
      behaviour: { ...MOSQUITTO, ...this.#options.behaviour },
      time: this.#time,
      random: new Random("a listening broker"),
    });
  }

  async #accept(listener: Deno.TcpListener): Promise<void> {
    try {
      for await (const connection of listener) {
        this.#serving.push(this.#serve(connection));
      }
    } catch (error) {
      if (!(error instanceof Deno.errors.BadResource)) throw error;
    }
  }

  async #serve(connection: Deno.TcpConn): Promise<void> {
    let isOpen = true;
    let written: Promise<unknown> = Promise.resolve();
    const close = () => {
      if (isOpen) connection.close();
      isOpen = false;
    };
    const { garble } = this.#options;
    const link: Link = {
      send(packet) {
        const bytes = garble?.(packet) ?? packet;
        written = written.then(() =>
          isOpen ? writeAll(connection, bytes) : undefined
        )
          .catch(close);
      },
      close: () => void written.then(close),
      break: close,
      onData() {},
      onClose() {},
    };
    this.#broker.accept(link);
    const buffer = new Uint8Array(64 * 1024);
    try {
      for (;;) {
        const read = await connection.read(buffer);
        if (read === null) break;
        link.onData(buffer.slice(0, read));
      }
    } catch {
      // It was closed, by either side.
    }
    close();
    link.onClose();
    await written;
  }
}

async function writeAll(
  connection: Deno.TcpConn,
  bytes: Uint8Array,
): Promise<void> {
  for (let at = 0; at < bytes.length;) {
    at += await connection.write(bytes.subarray(at));
  }
}

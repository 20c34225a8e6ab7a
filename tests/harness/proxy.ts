/**
 * A TCP proxy that does to a connection what networks do.
 *
 * @module
 */

/** What stands between a worker and its broker. */
export class Proxy implements AsyncDisposable {
  readonly port: number;
  readonly #target: { hostname: string; port: number };
  readonly #listener: Deno.TcpListener;
  readonly #connections = new Set<Deno.TcpConn>();
  readonly #serving: Promise<void>;
  #isCut = false;
  #delay = 0;
  #flowing = Promise.withResolvers<void>();

  private constructor(target: { hostname: string; port: number }) {
    this.#target = target;
    this.#listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    this.port = this.#listener.addr.port;
    this.#flowing.resolve();
    this.#serving = this.#serve();
  }

  /** A proxy to a port, of this machine if no other is named. */
  static to(port: number, hostname = "127.0.0.1"): Proxy {
    return new Proxy({ hostname, port });
  }

  /** Closes all connections, and every new one at once. */
  cut(): void {
    this.#isCut = true;
    this.#closeAll();
  }

  /** Takes connections again, and lets everything through. */
  heal(): void {
    this.#isCut = false;
    this.#delay = 0;
    this.#flowing.resolve();
  }

  /** Keeps connections open, and lets nothing through. */
  stall(): void {
    this.#flowing = Promise.withResolvers();
  }

  /** Delays everything by a time. */
  delay(milliseconds: number): void {
    this.#delay = milliseconds;
  }

  /** Ends one direction of every connection. */
  async halfClose(): Promise<void> {
    await Promise.all(
      [...this.#connections].map((one) => one.closeWrite().catch(() => {})),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isCut = true;
    this.#flowing.resolve();
    this.#listener.close();
    this.#closeAll();
    await this.#serving;
  }

  async #serve(): Promise<void> {
    const pumps = new Set<Promise<unknown>>();
    try {
      for await (const near of this.#listener) {
        if (this.#isCut) {
          near.close();
          continue;
        }
        let far: Deno.TcpConn;
        try {
          far = await Deno.connect(this.#target);
        } catch {
          near.close();
          continue;
        }
        // It may have been cut meanwhile.
        if (this.#isCut) {
          near.close();
          far.close();
          continue;
        }
        for (const one of [near, far]) {
          one.setNoDelay(true);
          this.#connections.add(one);
        }
        const pump = Promise.all([this.#pump(near, far), this.#pump(far, near)])
          .finally(() => pumps.delete(pump));
        pumps.add(pump);
      }
    } catch {
      // Closed while it was accepting.
    }
    await Promise.all(pumps);
  }

  async #pump(from: Deno.TcpConn, to: Deno.TcpConn): Promise<void> {
    const buffer = new Uint8Array(65_536);
    try {
      for (;;) {
        const read = await from.read(buffer);
        if (read === null) break;
        if (this.#delay > 0) {
          await new Promise((resolve) => setTimeout(resolve, this.#delay));
        }
        await this.#flowing.promise;
        for (let sent = 0; sent < read;) {
          sent += await to.write(buffer.subarray(sent, read));
        }
      }
    } catch {
      // One of the two has gone.
    }
    this.#close(from);
    this.#close(to);
  }

  #closeAll(): void {
    for (const one of [...this.#connections]) this.#close(one);
  }

  #close(connection: Deno.TcpConn): void {
    if (!this.#connections.delete(connection)) return;
    try {
      connection.close();
    } catch {
      // It is closed.
    }
  }
}

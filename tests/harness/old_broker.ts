/**
 * A fake: a listener that answers CONNECT as a broker does which speaks MQTT
 * 3.1.1 only, and nothing else. No broker of the distributions can be told to
 * refuse MQTT 5.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { createServer, type Server } from "node:net";
import type { AddressInfo } from "node:net";

/** The fake. */
export class OldBroker implements AsyncDisposable {
  readonly port: number;
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
    this.port = (server.address() as AddressInfo).port;
  }

  /**
   * Starts it.
   *
   * @param options.polite answers MQTT 5 with a CONNACK that refuses the
   * version (MQTT 3.1.1, 3.1.2.2); if not, it only closes the connection
   */
  static async start(options: { polite: boolean }): Promise<OldBroker> {
    const server = createServer((socket) => {
      socket.on("error", () => {});
      socket.once("data", (data: Buffer) => {
        const name = data.indexOf("MQTT");
        const version = name < 0 ? null : data[name + 4];
        if (version === 4) socket.write(Buffer.from([0x20, 2, 0, 0]));
        else if (version === 5 && options.polite) {
          socket.end(Buffer.from([0x20, 2, 0, 1]));
        } else socket.destroy();
      });
    });
    await new Promise<void>((resolve) =>
      server.listen(0, "127.0.0.1", resolve)
    );
    return new OldBroker(server);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

/**
 * The library's client, on a byte stream that is made here. The library's own
 * `connect()` loads all that it can make, WebSocket and SOCKS too, whichever is
 * asked for: 20 ms of processor time, and 1 MB of a worker.
 *
 * @module
 */
import { connect as connectTcp, isIP } from "node:net";
import type { Duplex } from "node:stream";
import { connect as connectTls } from "node:tls";
import type { IClientOptions, MqttClient, StreamBuilder } from "mqtt";
import library from "mqtt/lib/client";
import type { Broker } from "../config/broker.ts";
import { brokerOptions } from "./broker.ts";

/** Makes the stream of one attempt to connect. */
type OpenStream = (client: MqttClient) => Duplex;

/**
 * A client, which has begun to connect.
 *
 * @param options beside those that say where the broker is
 */
export function clientOf(
  { broker, openStream }: { broker: Broker; openStream: OpenStream },
  options: IClientOptions,
): MqttClient {
  return new library.default(
    openStream as StreamBuilder,
    { ...brokerOptions(broker), ...options },
  );
}

/**
 * How a broker's streams are made; of a promise for WebSocket alone, so that
 * else a connection begins at once.
 */
export function streamsTo(broker: Broker): OpenStream | Promise<OpenStream> {
  if (broker.openStream) return broker.openStream;
  if (broker.websocketPath !== undefined) {
    return import("mqtt/lib/connect/ws").then(({ streamBuilder }) => (client) =>
      streamBuilder(client, client.options)
    );
  }
  const { host, port, tls } = broker;
  if (!tls) return () => connectTcp({ host, port });
  return (client) => {
    const stream = connectTls({
      host,
      port,
      // An address is no name to ask for (RFC 6066, 3).
      ...(isIP(host) === 0 && { servername: host }),
      ...tls,
    });
    // The client passes over what is no error of a socket.
    const refused = (error: Error) => {
      client.emit("error", error as never);
      stream.end();
    };
    stream.on("error", refused);
    stream.once("secureConnect", () => {
      if (stream.authorized) stream.off("error", refused);
      else stream.destroy(new Error("TLS not authorized"));
    });
    return stream;
  };
}

/**
 * From the configuration to the broker, with its files read.
 *
 * @module
 */
import type { Duplex } from "node:stream";
import { ConfigError } from "./problems.ts";
import type { Config } from "./schema.ts";

/** The broker, with its files already read. Times are in seconds. */
export interface Broker {
  /** Its name or address. */
  host: string;
  /** Its TCP port. */
  port: number;
  /** The user name, with a password. */
  username?: string;
  /** The password, with a user name. */
  password?: string;
  /** The longest silence before the connection is checked (3.1.2.10). */
  keepalive: number;
  /** Set: TLS. PEM texts; without `ca` Deno's own store decides. */
  tls?: { ca?: string; cert?: string; key?: string };
  /** Set: MQTT over WebSocket, at this path. */
  websocketPath?: string;
  /** The first wait before a new attempt. */
  reconnectMin: number;
  /** The longest wait before a new attempt. */
  reconnectMax: number;
  /** Makes the byte stream to the broker, instead of the library. */
  openStream?: () => Duplex;
}

/**
 * The broker.
 *
 * @throws {ConfigError} one of its files cannot be read
 */
export async function brokerOf(mqtt: Config["mqtt"]): Promise<Broker> {
  const broker: Broker = {
    host: mqtt.host,
    port: mqtt.port,
    keepalive: mqtt.keepalive,
    reconnectMin: mqtt.reconnect_min,
    reconnectMax: mqtt.reconnect_max,
  };
  if (mqtt.username !== undefined) broker.username = mqtt.username;
  if (mqtt.password !== undefined) broker.password = mqtt.password;
  if (mqtt.websocket_path !== undefined) {
    broker.websocketPath = mqtt.websocket_path;
  }
  if (mqtt.tls_enabled) {
    broker.tls = {};
    for (
      const [name, path] of [
        ["ca", mqtt.tls_ca_cert],
        ["cert", mqtt.tls_client_cert],
        ["key", mqtt.tls_client_key],
      ] as const
    ) {
      if (path === undefined) continue;
      try {
        broker.tls[name] = await Deno.readTextFile(path);
      } catch (error) {
        throw new ConfigError(`Cannot read "${path}": ${error}`);
      }
    }
  }
  return broker;
}

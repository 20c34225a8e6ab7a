/**
 * How the broker is reached: the part of the library's options that comes from
 * the configuration.
 *
 * @module
 */
import type { IClientOptions } from "mqtt";
import type { Broker } from "../config/broker.ts";

/** The broker in the library's words. */
export function brokerOptions(broker: Broker): IClientOptions {
  const secure = broker.tls !== undefined;
  const websocket = broker.websocketPath !== undefined;
  const options: IClientOptions = {
    protocolVersion: 5,
    protocol: websocket ? (secure ? "wss" : "ws") : secure ? "mqtts" : "mqtt",
    // An IPv6 address stands in brackets in a URL, and nowhere else.
    host: websocket && broker.host.includes(":")
      ? `[${broker.host}]`
      : broker.host,
    port: broker.port,
    keepalive: broker.keepalive,
  };
  if (websocket) options.path = `/${broker.websocketPath!.replace(/^\//, "")}`;
  if (broker.username !== undefined) options.username = broker.username;
  if (broker.password !== undefined) options.password = broker.password;
  if (broker.tls?.ca !== undefined) options.ca = broker.tls.ca;
  if (broker.tls?.cert !== undefined) options.cert = broker.tls.cert;
  if (broker.tls?.key !== undefined) options.key = broker.tls.key;
  return options;
}

/**
 * How long to wait before the next attempt: a random time between half of the
 * capped exponential value and the whole of it, so that many workers that lost
 * one broker do not come back all at once.
 *
 * @param attempt 0 for the first one after a loss
 * @returns milliseconds
 */
export function backoff(
  broker: Pick<Broker, "reconnectMin" | "reconnectMax">,
  attempt: number,
): number {
  const cap = Math.min(
    broker.reconnectMax,
    broker.reconnectMin * 2 ** Math.min(attempt, 30),
  );
  return Math.round(1000 * cap * (0.5 + Math.random() / 2));
}

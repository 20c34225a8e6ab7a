/**
 * What has to be known before a worker connects: its broker, its keys, the
 * environment of its runs, and whether its id is free.
 *
 * @module
 */
import { type Config, RUN_VARIABLES } from "../config/mod.ts";
import { enquire, type Predecessor } from "../group/membership.ts";
import type { Log } from "../log.ts";
import { TrustedKeys } from "../messages/signed.ts";
import type { Topics } from "../messages/topics.ts";
import { type Broker, ConnectionLostError, Visit } from "../mqtt/mod.ts";
import type { Signals } from "./signals.ts";

/** The worker cannot start; the message says why. */
export class StartError extends Error {
  /** The kind of error. */
  override name = "StartError";
}

/** What the runs get of our environment; nothing that the configuration uses. */
export function runEnvironment(): Record<string, string> {
  const environment: Record<string, string> = {};
  for (const name of RUN_VARIABLES) {
    const value = Deno.env.get(name);
    if (value !== undefined) environment[name] = value;
  }
  return environment;
}

/**
 * The broker, with its files read.
 *
 * @throws {StartError} one of them cannot be read
 */
export async function brokerOf({ mqtt }: Config): Promise<Broker> {
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
        throw new StartError(`Cannot read "${path}": ${error}`);
      }
    }
  }
  return broker;
}

/** The keys that requests must be signed with; null: with none. */
export async function trustedKeysOf(
  { security }: Config,
): Promise<TrustedKeys | null> {
  if (security.trusted_keys === undefined) return null;
  return await TrustedKeys.read(
    await Promise.all(
      security.trusted_keys.map(async ({ id, file }) =>
        [id, await Deno.readTextFile(file)] as [string, string]
      ),
    ),
  );
}

/** Asks, before the first connection of our own, whether the id is free. */
export async function enquireFirst(
  broker: Broker,
  { config, topics, log, signals }: {
    config: Config;
    topics: Topics;
    log: Log;
    signals: Signals;
  },
): Promise<Predecessor | null> {
  const workerId = config.worker.worker_id;
  for (let wait = broker.reconnectMin; signals.count === 0;) {
    try {
      const visit = await Visit.open(broker, {
        clientId: `ansible-worker-${crypto.randomUUID().slice(0, 8)}`,
        sessionExpiry: 0,
      });
      try {
        return await enquire(visit, { topics, workerId });
      } finally {
        await visit.end();
      }
    } catch (error) {
      if (!(error instanceof ConnectionLostError)) throw error;
      log.warn(
        `cannot connect to the broker at ${broker.host}:${broker.port}: ${error.message}; trying again`,
      );
      await signals.next(wait * 1000 * (0.5 + Math.random() / 2));
      wait = Math.min(wait * 2, broker.reconnectMax);
    }
  }
  return null;
}

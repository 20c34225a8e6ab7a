/**
 * What has to be known before a worker connects: whether its id is free.
 *
 * @module
 */
import type { Config } from "../config/mod.ts";
import { enquire, type Predecessor } from "../group/membership.ts";
import type { Log } from "../log.ts";
import type { Topics } from "../messages/topics.ts";
import { type Broker, ConnectionLostError, Visit } from "../mqtt/mod.ts";
import type { Signals } from "./signals.ts";

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

/**
 * The session of a connection: the part of the library's options that says what
 * the broker keeps, and sends, for whom.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import type { IClientOptions } from "mqtt";

/**
 * The largest packet that we take, in bytes: a request of 1 MiB, signed, with
 * all its properties. A broker does not deliver what is larger (3.1.2.11.4).
 */
const MAX_PACKET_BYTES = 2 * 1024 * 1024;

/** A session. */
export interface Session {
  clientId: string;
  /** Seconds that the broker keeps the session without us; 0: a clean one. */
  sessionExpiry: number;
  /** QoS 1 and 2 messages that the broker may send unanswered (3.1.2.11.3). */
  receiveMaximum?: number;
  /** The retained QoS 1 message that the broker publishes if we vanish. */
  will?: { topic: string; payload: string; delaySeconds: number };
}

/** The session in the library's words. */
export function sessionOptions(
  { clientId, sessionExpiry, receiveMaximum, will }: Session,
): IClientOptions {
  const options: IClientOptions = {
    clientId,
    clean: sessionExpiry === 0,
    properties: {
      sessionExpiryInterval: sessionExpiry,
      maximumPacketSize: MAX_PACKET_BYTES,
    },
    // The broker forgets shared subscriptions sooner than sessions, so whoever
    // connects subscribes every time; the library need not.
    resubscribe: false,
  };
  if (receiveMaximum !== undefined) {
    options.properties!.receiveMaximum = receiveMaximum;
  }
  if (will) {
    options.will = {
      topic: will.topic,
      payload: Buffer.from(will.payload),
      qos: 1,
      retain: true,
      properties: { willDelayInterval: will.delaySeconds },
    };
  }
  return options;
}

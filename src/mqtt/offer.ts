/**
 * What a broker offers, by its CONNACK (MQTT 5, 3.2.2.3).
 *
 * @module
 */
import type { IConnackPacket } from "mqtt-packet";

/**
 * The largest packet that a broker has to take, in bytes: what a status needs
 * with names of the usual lengths, and nothing of its longer texts.
 */
const LEAST_PACKET_BYTES = 2048;

/** What a broker offers. */
export interface Offer {
  /** Whether it had a session of this client id. */
  sessionPresent: boolean;
  /** The client id that it gives instead of the one it was told. */
  clientId?: string;
  /** Seconds that it will really keep the session, where it says so. */
  sessionExpiry?: number;
  /** QoS 1 and 2 messages that it takes unanswered. */
  receiveMaximum: number;
  /** The largest packet that it takes, in bytes. */
  maximumPacketSize?: number;
  maximumQos: number;
  /** Whether it keeps retained messages. */
  retain: boolean;
  /** Whether it takes wildcards in subscriptions. */
  wildcards: boolean;
  /** Whether it takes shared subscriptions. */
  shared: boolean;
}

/** Reads a CONNACK; what it leaves out is there (3.2.2.3). */
export function offerOf(
  { properties, sessionPresent }: IConnackPacket,
): Offer {
  const given = properties ?? {};
  // Some brokers say it with a byte, which the codec makes a boolean.
  const has = (value: unknown) => value !== false && value !== 0;
  return {
    sessionPresent,
    ...(given.assignedClientIdentifier !== undefined &&
      { clientId: given.assignedClientIdentifier }),
    ...(given.sessionExpiryInterval !== undefined &&
      { sessionExpiry: given.sessionExpiryInterval }),
    receiveMaximum: given.receiveMaximum ?? 65_535,
    ...(given.maximumPacketSize !== undefined &&
      { maximumPacketSize: given.maximumPacketSize }),
    maximumQos: given.maximumQoS ?? 2,
    retain: has(given.retainAvailable),
    wildcards: has(given.wildcardSubscriptionAvailable),
    shared: has(given.sharedSubscriptionAvailable),
  };
}

/** What the worker cannot do without and the broker lacks; null for nothing. */
export function missingFeature(offer: Offer): string | null {
  if (!offer.shared) return "shared subscriptions";
  if (!offer.retain) return "retained messages";
  if (!offer.wildcards) return "wildcard subscriptions";
  if (offer.maximumQos < 1) return "QoS 1";
  const { maximumPacketSize = Infinity } = offer;
  return maximumPacketSize < LEAST_PACKET_BYTES
    ? `packets of ${LEAST_PACKET_BYTES} bytes, which a status may need (${maximumPacketSize} at most)`
    : null;
}

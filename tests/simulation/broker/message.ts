/**
 * A message inside the broker.
 *
 * @module
 */
import type { IPublishPacket } from "mqtt-packet";

/** Quality of service. */
export type Qos = 0 | 1 | 2;

/** A message. */
export interface Message {
  /** Its topic. */
  readonly topic: string;
  /** Its bytes. */
  readonly payload: Uint8Array;
  /** At which it was published. */
  readonly qos: Qos;
  /** Whether it is to be kept for later subscribers. */
  readonly retain: boolean;
  /** The client id of its sender. */
  readonly from: string;
  /** When it expires, in the broker's milliseconds; Infinity: never. */
  readonly expiresAt: number;
  /** What is passed on as it came. */
  readonly properties: Readonly<
    NonNullable<IPublishPacket["properties"]>
  >;
}

/** A PUBLISH as a message. */
export function messageOf(
  packet: Pick<
    IPublishPacket,
    "topic" | "payload" | "qos" | "retain" | "properties"
  >,
  { from, now }: { from: string; now: number },
): Message {
  const { messageExpiryInterval, topicAlias: _alias, ...properties } =
    packet.properties ?? {};
  return {
    topic: packet.topic,
    payload: packet.payload as Uint8Array,
    qos: packet.qos as Qos,
    retain: packet.retain,
    from,
    expiresAt: messageExpiryInterval === undefined
      ? Infinity
      : now + messageExpiryInterval * 1000,
    properties,
  };
}

/**
 * Between the library's packets and the messages of the rest of the program.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import type { IPublishPacket } from "mqtt-packet";
import type { MessageProperties, Outgoing } from "../messages/packets.ts";

/**
 * The user property of a message that only tries whether it may be published
 * and read (see `doctor/access.ts`). Its value tells such messages apart.
 */
export const CHECK_PROPERTY = "ansible-worker-check";

/**
 * Whether a message is such a trial. It is acknowledged, and reaches nobody: on
 * a topic that a group really uses it must not mean anything.
 */
export function isCheck(packet: IPublishPacket): boolean {
  return packet.properties?.userProperties?.[CHECK_PROPERTY] !== undefined;
}

/** The properties of a packet in our words. */
export function propertiesOf(packet: IPublishPacket): MessageProperties {
  const given = packet.properties ?? {};
  const properties: MessageProperties = {};
  if (given.userProperties) {
    properties.user = {};
    for (const [name, value] of Object.entries(given.userProperties)) {
      const last = Array.isArray(value) ? value.at(-1) : value;
      if (last !== undefined) properties.user[name] = String(last);
    }
  }
  if (given.messageExpiryInterval !== undefined) {
    properties.expirySeconds = given.messageExpiryInterval;
  }
  if (given.responseTopic !== undefined) {
    properties.responseTopic = given.responseTopic;
  }
  if (given.correlationData !== undefined) {
    properties.correlationData = given.correlationData;
  }
  return properties;
}

/** Our properties in the library's words. */
export function packetProperties(
  properties: MessageProperties,
): NonNullable<IPublishPacket["properties"]> {
  const packet: NonNullable<IPublishPacket["properties"]> = {};
  if (properties.user) packet.userProperties = properties.user;
  if (properties.expirySeconds !== undefined) {
    packet.messageExpiryInterval = properties.expirySeconds;
  }
  if (properties.responseTopic !== undefined) {
    packet.responseTopic = properties.responseTopic;
  }
  if (properties.correlationData !== undefined) {
    packet.correlationData = Buffer.from(properties.correlationData);
  }
  return packet;
}

/** At most so many bytes a message takes, with everything around it. */
export function sizeOf({ topic, payload, properties = {} }: Outgoing): number {
  const { user = {}, responseTopic = "", correlationData } = properties;
  let size = Buffer.byteLength(payload) + Buffer.byteLength(topic) +
    Buffer.byteLength(responseTopic) + (correlationData?.length ?? 0) + 64;
  for (const [name, value] of Object.entries(user)) {
    size += Buffer.byteLength(name) + Buffer.byteLength(value) + 5;
  }
  return size;
}

/** A message as a packet of at most so many bytes; null if it cannot be one. */
export function fitting(message: Outgoing, bytes: number): Outgoing | null {
  const over = sizeOf(message) - bytes;
  if (over <= 0) return message;
  if (!message.shorten) return null;
  const length = Buffer.byteLength(message.payload) - over;
  const shorter = { ...message, payload: message.shorten(length) };
  return sizeOf(shorter) <= bytes ? shorter : null;
}

/** The bytes of a packet's payload. */
export function payloadOf(packet: IPublishPacket): Uint8Array {
  return typeof packet.payload === "string"
    ? new TextEncoder().encode(packet.payload)
    : packet.payload;
}

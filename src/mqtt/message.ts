/**
 * Messages as the rest of the program sees them, free of the library's types.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import type { IPublishPacket } from "mqtt-packet";

/** The MQTT 5 properties of a message that the worker uses. */
export interface MessageProperties {
  /** Where a name occurs more than once, the last value counts. */
  user?: Record<string, string>;
  /** Seconds that the message is still good for (MQTT 5, 3.3.2.3.3). */
  expirySeconds?: number;
  /** The requester's response topic (3.3.2.3.5). */
  responseTopic?: string;
  /** The requester's correlation data (3.3.2.3.6). */
  correlationData?: Uint8Array;
}

/** A message that came in. */
export interface Incoming {
  /** The topic. */
  topic: string;
  /** Its bytes. */
  payload: Uint8Array;
  /** Whether it was a retained message, not one published just now. */
  retained: boolean;
  /** Its MQTT 5 properties. */
  properties: MessageProperties;
}

/** A message to be published. */
export interface Outgoing {
  /** The topic. */
  topic: string;
  /** Its bytes. */
  payload: string | Uint8Array;
  /** 1 or 2 (4.3). */
  qos: 1 | 2;
  /** Whether the broker keeps it for later subscribers. */
  retain?: boolean;
  /** Its MQTT 5 properties. */
  properties?: MessageProperties;
  /**
   * A newer message on the same topic may take its place while it waits; it
   * then counts as published when the newer one is.
   */
  replaceable?: boolean;
  /**
   * Names what is kept in order, and replaced, together; if left out, all that
   * is published on the topic is.
   */
  lane?: string;
  /**
   * Called when the broker says that nobody is subscribed to its topic (reason
   * code 0x10, 3.4.2.1 and 3.5.2.1). Not every broker does, and mosquitto only
   * at QoS 1.
   */
  onNobody?(): void;
}

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

/** The bytes of a packet's payload. */
export function payloadOf(packet: IPublishPacket): Uint8Array {
  return typeof packet.payload === "string"
    ? new TextEncoder().encode(packet.payload)
    : packet.payload;
}

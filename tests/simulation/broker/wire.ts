/**
 * Packets, to and from bytes, and in one line for whoever reads a story.
 *
 * @module
 */
import type { Buffer } from "node:buffer";
import mqtt from "mqtt-packet";
import type { Packet } from "mqtt-packet";

const options = { protocolVersion: 5 } as const;

/** A packet as bytes. */
export function bytesOf(packet: Packet): Uint8Array {
  return mqtt.generate(packet, options);
}

/**
 * Reads packets from bytes as they come.
 *
 * @returns what takes the bytes
 */
export function reader(
  { onPacket, onError }: {
    onPacket(packet: Packet): void;
    onError(): void;
  },
): (bytes: Uint8Array) => void {
  const parser = mqtt.parser(options);
  parser.on("packet", onPacket);
  parser.on("error", onError);
  return (bytes) => void parser.parse(bytes as Buffer);
}

const text = new TextDecoder();

/** A packet in one line. */
export function brief(packet: Packet): string {
  const id = "messageId" in packet && packet.messageId
    ? ` #${packet.messageId}`
    : "";
  const code = "reasonCode" in packet && packet.reasonCode
    ? ` reason 0x${packet.reasonCode.toString(16)}`
    : "";
  const name = packet.cmd.toUpperCase();
  switch (packet.cmd) {
    case "publish": {
      const flags = [
        `QoS ${packet.qos}`,
        packet.retain && "retain",
        packet.dup && "DUP",
      ].filter(Boolean).join(" ");
      const user = packet.properties?.userProperties;
      return `${name} ${packet.topic} ${flags}${id} ${
        text.decode(packet.payload as Uint8Array)
      }${user ? ` ${JSON.stringify(user)}` : ""}`;
    }
    case "subscribe":
      return `${name} ${
        packet.subscriptions.map(({ topic, qos, rh }) =>
          `${topic} QoS ${qos}${rh === 2 ? " no retained" : ""}`
        ).join(", ")
      }${id}`;
    case "unsubscribe":
      return `${name} ${packet.unsubscriptions.join(", ")}${id}`;
    case "suback":
      return `${name} ${(packet.granted as number[]).join(", ")}${id}`;
    case "connect":
      return `${name} ${packet.clientId}${packet.clean ? " clean start" : ""}`;
    case "connack":
      return `${name} session ${packet.sessionPresent ? "" : "not "}present`;
    default:
      return name + id + code;
  }
}

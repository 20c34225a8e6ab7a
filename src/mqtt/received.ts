/**
 * What has come from the broker and was not read yet, so that it can be said
 * which packet could not be.
 *
 * The library reads the stream piece by piece, and says of a packet that is none
 * what is wrong, but not what it was. So the bytes are kept until the library has
 * told of the packets in them.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { parser } from "mqtt-packet";

/** By their numbers (2.1.2). */
const TYPES = [
  "packet of type 0",
  "CONNECT",
  "CONNACK",
  "PUBLISH",
  "PUBACK",
  "PUBREC",
  "PUBREL",
  "PUBCOMP",
  "SUBSCRIBE",
  "SUBACK",
  "UNSUBSCRIBE",
  "UNSUBACK",
  "PINGREQ",
  "PINGRESP",
  "DISCONNECT",
  "AUTH",
];

/** How many bytes of a packet are shown. */
const SHOWN = 12;

/** What has come on one connection. */
export class Received {
  /** Whole packets, in order. */
  readonly #packets: Uint8Array[] = [];
  /** The beginning of the next one, in pieces. */
  #pieces: Uint8Array[] = [];
  #size = 0;
  /** With fewer bytes it is not whole, or its length is not known. */
  #wanted = 2;

  /** A piece of the stream. */
  take(piece: Uint8Array): void {
    this.#pieces.push(piece);
    this.#size += piece.length;
    if (this.#size < this.#wanted) return;
    let bytes = this.#pieces.length === 1 ? piece : Buffer.concat(this.#pieces);
    for (;;) {
      this.#wanted = lengthOf(bytes) ?? bytes.length + 1;
      if (bytes.length < this.#wanted) break;
      this.#packets.push(bytes.subarray(0, this.#wanted));
      bytes = bytes.subarray(this.#wanted);
    }
    this.#pieces = bytes.length > 0 ? [bytes] : [];
    this.#size = bytes.length;
  }

  /** The library has told of a packet. */
  told(): void {
    this.#packets.shift();
  }

  /** The first packet that cannot be read, and why; null if all can be. */
  unreadable(): string | null {
    for (const packet of [...this.#packets, Buffer.concat(this.#pieces)]) {
      const problem = problemIn(packet);
      if (problem === null) continue;
      const shown = Buffer.from(packet.subarray(0, SHOWN)).toString("hex")
        .replace(/..(?!$)/g, "$& ");
      const more = packet.length > SHOWN ? " …" : "";
      return `a ${
        TYPES[packet[0]! >> 4]
      } that cannot be read: ${problem} (${shown}${more})`;
    }
    return null;
  }
}

/** How long a packet is, by its fixed header (2.1); null if that is not known. */
function lengthOf(bytes: Uint8Array): number | null {
  let rest = 0;
  for (let i = 1; i <= 4 && i < bytes.length; i++) {
    rest += (bytes[i]! & 0x7f) * 0x80 ** (i - 1);
    if (bytes[i]! < 0x80) return 1 + i + rest;
  }
  return null;
}

function problemIn(packet: Uint8Array): string | null {
  let problem: string | null = null;
  const reader = parser({ protocolVersion: 5 });
  reader.on("error", ({ message }: Error) => problem ??= message);
  if (packet.length > 0) reader.parse(Buffer.from(packet));
  return problem;
}

/**
 * The messages of one session on their way to its client.
 *
 * A message waits in the queue until the client's Receive Maximum leaves room
 * for it, is then under way, and stays so until it is answered (4.3). When the
 * client is back after a loss, all that is under way is sent again, in the order
 * in which it was sent first, before anything else (4.4, 4.6).
 *
 * @module
 */
import type { Packet } from "mqtt-packet";
import type { Message, Qos } from "./message.ts";

/** A message for one client. */
export interface Parcel {
  /** The message; null when it was received, and only PUBREL is to come. */
  message: Message | null;
  /** At which it is delivered. */
  readonly qos: Qos;
  /** The retain flag. */
  readonly retain: boolean;
  /** The share by which it came here; null for none. */
  readonly share: string | null;
  /** Its packet identifier; 0 as long as it waits. */
  id: number;
}

/** What a flow needs. */
export interface FlowOptions {
  /** Milliseconds. */
  now(): number;
  /** Sends a packet, if there is a connection. */
  send(packet: Packet): void;
  /** Whether there is one. */
  connected(): boolean;
  /** A message is given to its client as a new one. */
  onGiven(message: Message, how: { isShared: boolean }): void;
  /** See `Behaviour`. */
  losesProperties: boolean;
  /** See `Behaviour`. */
  expiresUnderWay: boolean;
}

/** The messages on their way to one client. */
export class Flow {
  /** QoS 1 and 2 messages that the client takes unanswered. */
  window = 0;
  readonly #options: FlowOptions;
  readonly #underWay = new Map<number, Parcel>();
  #queue: Parcel[] = [];
  #lastId = 0;

  /** An empty one; a copy of another one, if that is given. */
  constructor(options: FlowOptions, other?: Flow) {
    this.#options = options;
    if (!other) return;
    this.#lastId = other.#lastId;
    for (const [id, parcel] of other.#underWay) {
      this.#underWay.set(id, { ...parcel });
    }
    this.#queue = other.#queue.map((parcel) => ({ ...parcel }));
  }

  /** Whether the client has all that it takes. */
  get isFull(): boolean {
    return this.#underWay.size >= this.window;
  }

  /** Takes a message for the client. */
  put(parcel: Parcel): void {
    if (parcel.qos === 0) {
      if (this.#options.connected()) this.#send(parcel, false);
      return;
    }
    this.#queue.push(parcel);
    this.#pump();
  }

  /** A connection is there again, or for the first time. */
  resume(window: number): void {
    this.window = window;
    for (const parcel of [...this.#underWay.values()]) {
      if (
        parcel.message && this.#options.expiresUnderWay &&
        parcel.message.expiresAt <= this.#options.now()
      ) this.#underWay.delete(parcel.id);
      else this.#send(parcel, true);
    }
    this.#pump();
  }

  /** PUBACK or PUBCOMP: the message is done with. */
  done(id: number): void {
    this.#underWay.delete(id);
    this.#pump();
  }

  /** PUBREC: the client has the message. */
  received(id: number, reasonCode: number): void {
    const parcel = this.#underWay.get(id);
    if (parcel && reasonCode >= 0x80) return this.done(id);
    if (parcel) parcel.message = null;
    this.#options.send({
      cmd: "pubrel",
      messageId: id,
      reasonCode: parcel ? 0 : 0x92,
    });
  }

  /** Whether an answer to this message is the one that is due. */
  isOldest(id: number): boolean {
    for (const parcel of this.#underWay.values()) {
      if (parcel.qos === 2 && parcel.message) return parcel.id === id;
    }
    return true;
  }

  /** Takes out what came by a share, is not received, and can go elsewhere. */
  takeShared(isWanted: (parcel: Parcel) => boolean): Parcel[] {
    const shared: Parcel[] = [];
    for (const parcel of this.#underWay.values()) {
      if (!parcel.message || parcel.share === null || !isWanted(parcel)) {
        continue;
      }
      this.#underWay.delete(parcel.id);
      shared.push(parcel);
    }
    this.#queue = this.#queue.filter((parcel) => {
      const isShared = parcel.share !== null && isWanted(parcel);
      if (isShared) shared.push(parcel);
      return !isShared;
    });
    return shared;
  }

  #pump(): void {
    while (
      this.#queue.length > 0 && !this.isFull && this.#options.connected()
    ) {
      const parcel = this.#queue.shift()!;
      if (parcel.message!.expiresAt <= this.#options.now()) continue;
      do this.#lastId = this.#lastId % 65_535 + 1; while (
        this.#underWay.has(this.#lastId)
      );
      parcel.id = this.#lastId;
      this.#underWay.set(parcel.id, parcel);
      this.#send(parcel, false);
    }
  }

  #send(parcel: Parcel, dup: boolean): void {
    const { send, now, losesProperties } = this.#options;
    const { id, message, qos, retain } = parcel;
    if (!message) {
      send({ cmd: "pubrel", messageId: id, reasonCode: 0 });
      return;
    }
    if (qos > 0 && !dup && !retain) {
      this.#options.onGiven(message, { isShared: parcel.share !== null });
    }
    const { userProperties, ...others } = message.properties;
    send({
      cmd: "publish",
      topic: message.topic,
      payload: message.payload as Parameters<typeof String>[0],
      qos,
      retain,
      dup,
      messageId: id,
      properties: {
        ...others,
        ...(userProperties && !losesProperties && { userProperties }),
        // It counts down while the broker has the message (3.3.2-6).
        ...(message.expiresAt !== Infinity && {
          messageExpiryInterval: Math.max(
            1,
            Math.ceil((message.expiresAt - now()) / 1000),
          ),
        }),
      },
    });
  }
}

/**
 * Deliveries that the broker still owns.
 *
 * A QoS 2 message belongs to the broker until its receiver answers PUBREC. We
 * answer when a task starts, not when it arrives, so that a worker which dies
 * with tasks waiting has lost none of them: the broker delivers them again. The
 * library would answer on arrival, so each packet is taken out of its hands
 * before its own handler sees it.
 *
 * One delivery, by its packet identifier:
 *
 * - **held**: PUBLISH has come, nothing was answered. After a reconnect the
 *   broker sends it again with the same identifier (MQTT 5, 4.4): still held.
 * - **releasing**: PUBREC was sent, PUBREL is awaited. If the connection is lost
 *   in between, the broker either sends the PUBLISH again (it has not seen our
 *   PUBREC: we repeat it) or the PUBREL (it has).
 * - **released**: PUBREL has come. The broker will never send it again.
 *
 * When the broker has forgotten the session, what is held here is the only copy:
 * it counts as released from then on.
 *
 * @module
 */
import type { IPublishPacket, Packet } from "mqtt-packet";
import type { Delivery, MessageProperties } from "../messages/packets.ts";
import { isCheck, payloadOf, propertiesOf } from "./message.ts";

class Hold implements Delivery {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly properties: MessageProperties;
  readonly redelivered: boolean;
  readonly retained: boolean;
  state: "held" | "releasing" | "released" = "held";
  readonly #released = Promise.withResolvers<void>();
  readonly #sendPubrec: () => void;

  constructor(packet: IPublishPacket, sendPubrec: () => void) {
    this.topic = packet.topic;
    this.payload = payloadOf(packet);
    this.properties = propertiesOf(packet);
    this.redelivered = packet.dup;
    this.retained = packet.retain;
    this.#sendPubrec = sendPubrec;
  }

  release(): Promise<void> {
    if (this.state === "held") {
      this.state = "releasing";
      this.#sendPubrec();
    }
    return this.#released.promise;
  }

  settle(): void {
    this.state = "released";
    this.#released.resolve();
  }

  giveUp(error: Error): void {
    this.#released.promise.catch(() => {});
    this.#released.reject(error);
  }
}

/** All deliveries of one session that are not yet released. */
export class HeldDeliveries {
  readonly #holds = new Map<number, Hold>();
  readonly #sendPubrec: (messageId: number) => void;

  /**
   * None are held at first.
   *
   * @param sendPubrec writes a PUBREC for the identifier if there is a
   * connection, and does nothing otherwise
   */
  constructor(sendPubrec: (messageId: number) => void) {
    this.#sendPubrec = sendPubrec;
  }

  /** How many the broker still owns. */
  get size(): number {
    return this.#holds.size;
  }

  /**
   * Takes note of a packet before the library does, and takes QoS 2 messages out
   * of its hands.
   *
   * @returns the delivery, if it has brought a new one
   */
  intercept(packet: Packet): Delivery | null {
    switch (packet.cmd) {
      case "publish":
        if (packet.qos === 2) return this.#publish(packet);
        break;
      case "pubrel":
        this.#pubrel(packet.messageId!);
        break;
      case "connack":
        // Here and not when the connection is ready: the first deliveries may
        // have come by then.
        if (!packet.sessionPresent) this.#sessionLost();
    }
    return null;
  }

  #publish(packet: IPublishPacket): Delivery | null {
    const publish = { ...packet };
    // A command that the library does not know is passed over by it, so that no
    // PUBREC goes out before we say so.
    (packet as { cmd: string }).cmd = "held";
    if (!isCheck(publish)) return this.#receive(publish);
    this.#sendPubrec(publish.messageId!);
    return null;
  }

  /** @returns the delivery if it is new, null if it was held before */
  #receive(packet: IPublishPacket): Delivery | null {
    const messageId = packet.messageId!;
    const known = this.#holds.get(messageId);
    if (known) {
      if (packet.dup && sameBytes(known.payload, payloadOf(packet))) {
        if (known.state === "releasing") this.#sendPubrec(messageId);
        return null;
      }
      // The identifier has been given to another message, so the broker no
      // longer has the one that we knew by it.
      known.settle();
    }
    const hold = new Hold(packet, () => this.#sendPubrec(messageId));
    this.#holds.set(messageId, hold);
    return hold;
  }

  /** This identifier is free again. */
  #pubrel(messageId: number): void {
    this.#holds.get(messageId)?.settle();
    this.#holds.delete(messageId);
  }

  /** The broker has forgotten the session: what is here is the only copy. */
  #sessionLost(): void {
    for (const hold of this.#holds.values()) hold.settle();
    this.#holds.clear();
  }

  /** There will be no further connection: nothing can be released any more. */
  giveUp(error: Error): void {
    for (const hold of this.#holds.values()) hold.giveUp(error);
    this.#holds.clear();
  }

  /**
   * Repeats the PUBRECs that have not been answered. To be called when a
   * resumed session has delivered again what it had: a broker that no longer
   * knows the identifier answers too, and nobody waits for ever.
   */
  repeatPubrecs(): void {
    for (const [messageId, hold] of this.#holds) {
      if (hold.state === "releasing") this.#sendPubrec(messageId);
    }
  }
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

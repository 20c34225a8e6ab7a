/**
 * Requests that have come and are not answered yet.
 *
 * A QoS 1 or 2 message belongs to the broker until it is answered, with PUBACK
 * or PUBREC; one of QoS 0 is nobody's from the moment at which it was sent. The
 * library would answer on arrival, so these packets are taken out of its hands
 * (see `connection.ts`), and answered here when their owner says so: in the
 * order in which they came [MQTT-4.6.0-2, MQTT-4.6.0-3]. One that is not ready
 * to be answered holds up those behind it.
 *
 * After a reconnect the broker sends again what it has not seen an answer to,
 * with the same identifier and DUP set [MQTT-4.4.0-1], and that is the order
 * that counts from then on. What it does not send again needs no answer.
 *
 * @module
 */
import type { IPublishPacket } from "mqtt-packet";
import { type Delivery } from "../messages/packets.ts";
import { payloadOf, propertiesOf } from "./message.ts";

/** Writes a PUBACK (QoS 1) or PUBREC (QoS 2), if there is a connection. */
export type Answer = (qos: 1 | 2, messageId: number) => void;

class Unanswered implements Delivery {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly properties: Delivery["properties"];
  redelivered: boolean;
  readonly retained: boolean;
  /** Whether its owner is through with it. */
  isReady = false;
  readonly #onReady: () => void;

  constructor(packet: IPublishPacket, onReady: () => void) {
    this.topic = packet.topic;
    this.payload = payloadOf(packet);
    this.properties = propertiesOf(packet);
    this.redelivered = packet.dup;
    this.retained = packet.retain;
    this.#onReady = onReady;
  }

  answer(): void {
    if (this.isReady) return;
    this.isReady = true;
    this.#onReady();
  }
}

/** The deliveries of one session. */
export class Deliveries {
  readonly #answer: Answer;
  /** By identifier; QoS 1 and 2 share them (2.2.1). */
  readonly #known = new Map<number, Unanswered>();
  /** What the broker has sent on this connection, in its order. */
  #order: { messageId: number; qos: 1 | 2; delivery: Unanswered }[] = [];

  /** With nothing unanswered. */
  constructor(answer: Answer) {
    this.#answer = answer;
  }

  /** How many the broker still owns. */
  get size(): number {
    return this.#known.size;
  }

  /**
   * Takes note of a PUBLISH.
   *
   * @returns the delivery if it is new, null if it is one that was known
   */
  receive(packet: IPublishPacket): Delivery | null {
    const { qos, messageId } = packet;
    if (qos === 0 || messageId === undefined) {
      return new Unanswered(packet, () => {});
    }
    const known = packet.dup ? this.#known.get(messageId) : undefined;
    const isSame = known !== undefined && known.topic === packet.topic &&
      sameBytes(known.payload, payloadOf(packet));
    const delivery = isSame
      ? known
      : new Unanswered(packet, () => this.#flush());
    this.#known.set(messageId, delivery);
    this.#order.push({ messageId, qos, delivery });
    this.#flush();
    return isSame ? null : delivery;
  }

  /**
   * The connection is lost: from here on the broker may give what is not answered
   * to somebody else, or somebody may take over the session.
   */
  disconnected(): void {
    this.#order = [];
    for (const delivery of this.#known.values()) delivery.redelivered = true;
  }

  /** A new connection: the broker says anew what it has. */
  connected(session: { present: boolean }): void {
    for (const [messageId, { isReady }] of this.#known) {
      // What was ready, and did not get its answer away, comes again.
      if (!session.present || isReady) this.#known.delete(messageId);
    }
  }

  /** Answers what is ready, as far as nothing before it is not. */
  #flush(): void {
    for (;;) {
      const first = this.#order[0];
      if (!first?.delivery.isReady) return;
      this.#order.shift();
      if (this.#known.get(first.messageId) === first.delivery) {
        this.#known.delete(first.messageId);
      }
      this.#answer(first.qos, first.messageId);
    }
  }
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

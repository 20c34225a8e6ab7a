/**
 * Against Nagle's algorithm at the broker.
 *
 * A broker that uses it (mosquitto, unless told otherwise) holds back the second
 * of two small answers until the first is acknowledged by TCP, which our kernel
 * puts off for 40 ms unless there is something to send. So something is sent at
 * once when an answer has come that we do not answer, and more is awaited. A
 * PINGREQ (3.12) is the smallest something.
 *
 * @module
 */
import type { Packet } from "mqtt-packet";

/** Answers of the broker that call for none of ours. */
const ANSWERS: ReadonlySet<string> = new Set([
  "puback",
  "pubcomp",
  "suback",
  "unsuback",
]);

/** After so many PINGRESPs in a row the broker is busy, not waiting for us. */
const MAX_PINGS = 3;

/** Sends a PINGREQ where an answer would be held back. */
export class Nudge {
  readonly #ping: () => void;
  /** What the broker is still to send. */
  #unanswered = 0;
  #scheduled = false;
  /** PINGRESPs that have come with nothing else in between. */
  #pings = 0;

  /** @param ping sends a PINGREQ if there is a connection */
  constructor(ping: () => void) {
    this.#ping = ping;
  }

  /** Counts a request or a publication until it is answered, or a message. */
  awaiting<T>(answer: Promise<T>): Promise<T> {
    this.#unanswered++;
    return answer.finally(() => this.#unanswered--);
  }

  /** Takes note of a packet of the broker. */
  received({ cmd }: Packet): void {
    const awaited = this.#unanswered - (ANSWERS.has(cmd) ? 1 : 0);
    if (cmd === "pingresp") {
      // The answer to a PINGREQ is one more that nothing of ours follows.
      if (awaited < 1 || ++this.#pings > MAX_PINGS) return;
    } else {
      this.#pings = 0;
      if (awaited < 1 || !ANSWERS.has(cmd)) return;
    }
    if (this.#scheduled) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      this.#ping();
    });
  }
}

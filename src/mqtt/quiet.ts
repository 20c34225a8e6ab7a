/**
 * Knowing, without a message of one's own, that what is retained has come: for
 * whoever may publish nothing, and asks for much at once.
 *
 * MQTT promises no order between the answer to a subscription and the retained
 * messages that it brings. Brokers that are late with them were seen to send the
 * rest within milliseconds; so what is waited for is some quiet.
 *
 * @module
 */
import type { Incoming } from "../messages/packets.ts";
import { pause } from "../deadline.ts";

/** How long nothing that is retained has to have come, in milliseconds. */
const QUIET_MS = 200;

/** Hears whether retained messages still come. */
export class Quiet {
  #last = 0;

  /** A message has come. */
  receive({ retained }: Pick<Incoming, "retained">): void {
    if (retained) this.#last = performance.now();
  }

  /** Settles when, from now on, nothing that is retained comes any more. */
  async settle(): Promise<void> {
    const since = performance.now();
    for (;;) {
      const until = Math.max(since, this.#last) + QUIET_MS;
      const wait = until - performance.now();
      if (wait <= 0) return;
      await pause(wait);
    }
  }
}

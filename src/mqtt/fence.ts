/**
 * Knowing that what is retained on a topic has come.
 *
 * MQTT promises no order between the answer to a subscription and the retained
 * messages that it brings. So after the subscription another one follows, to a
 * topic that is known to have a retained message (the **sentinel**), and what is
 * waited for is that message. Brokers that were tried send it after what was
 * asked for before, nearly always; where it was measured at the start that one does
 * not (see `lateness.ts`), or seen later, everybody who waits waits a little longer.
 *
 * Even so nothing must depend on it for ever: what was missed comes later.
 *
 * @module
 */
import { pause, settledWithin } from "../deadline.ts";
import type { Incoming, Outgoing } from "../messages/packets.ts";

/** What a fence is made with. */
export interface FenceOptions {
  /**
   * Subscribes at QoS 1, retained messages included: one of QoS 0 may overtake
   * what waits for the client's Receive Maximum (4.9).
   */
  subscribe(topic: string): Promise<void>;
  /** A topic of one's own. */
  sentinel: string;
  /** Settles with the broker's acknowledgement. */
  publish(message: Outgoing): Promise<void>;
  /** Has the broker not hold back a message that is to come. */
  awaiting(message: Promise<void>): Promise<void>;
}

/** The least that is granted to a broker that is late at all, in milliseconds. */
export const MIN_PATIENCE_MS = 100;

/** Beyond that, it is not waited for. */
const MAX_PATIENCE_MS = 5000;

/** A sentinel that has not come after this time is not there; milliseconds. */
const SENTINEL_MS = 5000;

/** What was late once may be later still. */
const MARGIN = 1.5;

/** Lets those through that wait for what is retained. */
export class Fence {
  /** How much longer everybody waits, in milliseconds. */
  patienceMs = 0;
  readonly #options: FenceOptions;
  #seen: PromiseWithResolvers<void> | null = null;
  #current: Promise<void> | null = null;
  #next: Promise<void> | null = null;

  /** With nobody waiting. */
  constructor(options: FenceOptions) {
    this.#options = options;
  }

  /**
   * Settles when everything that was asked for so far has come, as far as can be
   * known. Those who come while one is on its way share the next.
   *
   * @throws {ConnectionLostError} the connection was lost
   */
  pass(): Promise<void> {
    if (!this.#current) return this.#current = this.#begin();
    const start = () => {
      this.#next = null;
      return this.#current = this.#begin();
    };
    this.#next ??= this.#current.then(start, start);
    return this.#next;
  }

  /** Gives the sentinel its retained message; before the first `pass()`. */
  async prepare(): Promise<void> {
    const { publish, sentinel } = this.#options;
    await publish({ topic: sentinel, payload: "-", qos: 1, retain: true });
  }

  /** A message has come; returns whether it was for nobody but the fence. */
  receive({ topic, retained, payload }: Incoming): boolean {
    if (topic !== this.#options.sentinel) return false;
    if (retained) this.#seen?.resolve();
    else if (payload.length === 0) this.#restore().catch(() => {});
    return true;
  }

  /** Something has come so much later than everybody has waited, in milliseconds. */
  wasLate(ms: number): void {
    if (ms === 0) return;
    const wanted = MARGIN * (this.patienceMs + ms);
    this.patienceMs = Math.max(
      this.patienceMs,
      Math.min(MAX_PATIENCE_MS, Math.max(MIN_PATIENCE_MS, wanted)),
    );
  }

  /** Somebody has taken us for dead, and has cleared the sentinel. */
  async #restore(): Promise<void> {
    await this.prepare();
    if (this.#seen) await this.#options.subscribe(this.#options.sentinel);
  }

  /** The connection is lost: nothing that was asked for comes. */
  lost(error: Error): void {
    this.#seen?.reject(error);
  }

  async #begin(): Promise<void> {
    const seen = Promise.withResolvers<void>();
    this.#seen = seen;
    const come = this.#options.awaiting(seen.promise);
    come.catch(() => {});
    try {
      await this.#options.subscribe(this.#options.sentinel);
      while (!await settledWithin(SENTINEL_MS, come)) {
        // Somebody has cleared it before we could see that.
        await this.#restore();
      }
      await come;
      if (this.patienceMs > 0) await pause(this.patienceMs);
    } finally {
      seen.resolve();
      this.#seen = null;
      this.#current = null;
    }
  }
}

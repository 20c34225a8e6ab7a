/**
 * Watching the loads of the group, for as long as somebody here needs them.
 *
 * @module
 */
import type { Topics } from "../messages/topics.ts";
import type { Channel, Log } from "../tasks/ports.ts";
import type { Peers } from "./peers.ts";

/** How long the loads are watched after nobody needs them any more. */
const LINGER_MS = 10_000;

/** What watching loads needs. */
export interface LoadWatchOptions {
  topics: Topics;
  channel: Channel;
  /** Forgets the loads when they are no longer watched. */
  peers: Pick<Peers, "forgetLoads">;
  log: Log;
}

/** The subscription to the loads of the group. */
export class LoadWatch implements Disposable {
  readonly #options: LoadWatchOptions;
  #isOn = false;
  /** Settles when the loads that stood there have come. */
  #begun: Promise<void> = Promise.resolve();
  #end: ReturnType<typeof setTimeout> | undefined;

  constructor(options: LoadWatchOptions) {
    this.#options = options;
  }

  /**
   * The loads are needed.
   *
   * @returns settles when what is retained of them has come; never rejects
   */
  begin(): Promise<void> {
    const { channel, log, topics } = this.#options;
    clearTimeout(this.#end);
    this.#end = undefined;
    if (this.#isOn) return this.#begun;
    this.#isOn = true;
    this.#begun = channel.lookUp(topics.allLoads).catch((error) => {
      this.#isOn = false;
      log.debug("cannot watch the loads of the group", { error });
    });
    return this.#begun;
  }

  /** The loads are not needed now; they may be again in a moment. */
  release(): void {
    const { channel, peers, topics } = this.#options;
    if (!this.#isOn) return;
    this.#end ??= setTimeout(() => {
      this.#end = undefined;
      this.#isOn = false;
      peers.forgetLoads();
      channel.unsubscribe(topics.allLoads).catch(() => {});
    }, LINGER_MS);
  }

  /** After a reconnect that found no session: the subscription is gone. */
  async reconnected(session: { present: boolean }): Promise<void> {
    const { channel, topics } = this.#options;
    if (this.#isOn && !session.present) {
      await channel.lookUp(topics.allLoads);
    }
  }

  /** The subscription ends with the connection. */
  [Symbol.dispose](): void {
    clearTimeout(this.#end);
  }
}

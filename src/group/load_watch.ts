/**
 * Watching the loads of the group, for as long as somebody here looks for room.
 *
 * @module
 */
import type { Topics } from "../messages/topics.ts";
import type { Channel, Log } from "../tasks/ports.ts";

/** How long the loads are watched after nobody needs them any more. */
const LINGER_MS = 10_000;

/** A look at what is retained. */
export interface Look {
  /** Settles when all that is looked for has come. */
  all: Promise<void>;
  /** So long it is waited for, in milliseconds. */
  withinMs: number;
}

/** The control connection, as far as loads are concerned. */
export interface LoadChannel extends Channel {
  /**
   * Subscribes at QoS 0 to what is published from now on; settles with the
   * broker's answer. Rejects if there is no connection, or it is lost.
   */
  listen(topic: string): Promise<void>;
  /**
   * Subscribes to some topics at QoS 0, for as long as a look takes. Rejects
   * likewise.
   */
  glance(topics: string[], look: Look): Promise<void>;
}

/** What watching loads needs. */
export interface LoadWatchOptions {
  topics: Topics;
  channel: LoadChannel;
  log: Log;
}

/** The subscription to the loads of the group. */
export class LoadWatch implements Disposable {
  readonly #options: LoadWatchOptions;
  #isOn = false;
  /** Settles when the loads that stood there have come. */
  #begun: Promise<void> = Promise.resolve();
  #end: ReturnType<typeof setTimeout> | undefined;
  /** Settles when nobody looks who ends the subscription. */
  #looking: Promise<void> = Promise.resolve();

  constructor(options: LoadWatchOptions) {
    this.#options = options;
  }

  /**
   * The loads are needed, and will be for a while.
   *
   * @returns settles when what is retained of them has come; never rejects
   */
  begin(): Promise<void> {
    const { channel, log, topics } = this.#options;
    clearTimeout(this.#end);
    this.#end = undefined;
    if (this.#isOn) return this.#begun;
    this.#isOn = true;
    this.#begun = this.#looking.catch(() => {}).then(() =>
      channel.lookUp(topics.allLoads, { qos: 0 })
    ).catch((error) => {
      this.#isOn = false;
      log.debug("cannot watch the loads of the group", { error });
    });
    return this.#begun;
  }

  /** The loads are not needed now; they may be again in a moment. */
  release(): void {
    const { channel, topics } = this.#options;
    if (!this.#isOn) return;
    this.#end ??= setTimeout(() => {
      this.#end = undefined;
      this.#isOn = false;
      channel.unsubscribe(topics.allLoads).catch(() => {});
    }, LINGER_MS);
  }

  /**
   * Looks at all loads once, whether or not they are watched.
   *
   * @throws {ConnectionLostError} there is no connection, or it was lost
   */
  look(look: Look): Promise<void> {
    const { channel, topics } = this.#options;
    if (this.#isOn) return channel.lookUp(topics.allLoads, { qos: 0 });
    return this.#looking = channel.glance([topics.allLoads], look);
  }

  /** The control connection is back. */
  async reconnected(session: { present: boolean }): Promise<void> {
    const { channel, topics } = this.#options;
    if (this.#isOn && !session.present) {
      await channel.lookUp(topics.allLoads, { qos: 0 });
    } else if (!this.#isOn && session.present) {
      // A process before this one, or a look that was broken off.
      await channel.unsubscribe(topics.allLoads);
    }
  }

  /** The subscription ends with the connection. */
  [Symbol.dispose](): void {
    clearTimeout(this.#end);
  }
}

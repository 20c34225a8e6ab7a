/**
 * Waiting for the others, after the connection was lost: the broker may have been
 * restarted, and have forgotten its latest minutes. Each worker then puts right
 * what it has, and says that it is there. Whoever took something before that
 * could take what another one has, or has had.
 *
 * @module
 */
import { fulfilledWithin } from "../deadline.ts";
import type { Topics } from "../messages/topics.ts";
import type { Channel } from "../tasks/ports.ts";
import type { Peers } from "./peers.ts";

/**
 * How long the others are waited for, in milliseconds. They reconnect with
 * growing waits, as this worker does; one that is dead is known to be so later.
 */
const PATIENCE_MS = 15_000;

/** Asks the others of the group whether they are there. */
export class RollCall {
  readonly #options: {
    topics: Topics;
    channel: Pick<Channel, "publish">;
    peers: Pick<Peers, "silent">;
  };
  #waiting: PromiseWithResolvers<boolean> | null = null;

  constructor(options: {
    topics: Topics;
    channel: Pick<Channel, "publish">;
    peers: Pick<Peers, "silent">;
  }) {
    this.#options = options;
  }

  /**
   * Waits until all who were online have said on this connection that they are
   * there, or are known to be gone, or have had time enough.
   *
   * @returns false if the connection was lost meanwhile
   */
  async hold(): Promise<boolean> {
    const { channel, peers, topics } = this.#options;
    const waiting = this.#waiting = Promise.withResolvers<boolean>();
    for (const id of peers.silent()) {
      channel.publish({ topic: topics.probe(id), payload: "", qos: 1 })
        // Whom we may not ask may say so by itself.
        .catch(() => {});
    }
    this.update();
    if (!await fulfilledWithin(PATIENCE_MS, waiting.promise)) return true;
    return await waiting.promise;
  }

  /** Call it with every presence. */
  update(): void {
    if (this.#options.peers.silent().length === 0) this.#waiting?.resolve(true);
  }

  /** The connection is lost. */
  disconnected(): void {
    this.#waiting?.resolve(false);
  }
}

/**
 * What this worker says of itself, and what it makes of what others say on its
 * own topic.
 *
 * @module
 */
import { IdInUseError, type Membership } from "../group/membership.ts";
import { ConnectionLostError } from "../messages/packets.ts";
import type { Presence } from "../messages/presence.ts";
import type { Log } from "../tasks/ports.ts";
import type { Lifecycle } from "./lifecycle.ts";

/** This worker's presence, and its answers to what is published in its name. */
export class OwnPresence {
  readonly #options: {
    workerId: string;
    membership: Membership;
    lifecycle: Lifecycle;
    reclaim: () => Promise<void>;
    log: Log;
  };

  /**
   * Announces nothing by itself.
   *
   * @param options.reclaim takes again what the group has given up on
   */
  constructor(options: {
    workerId: string;
    membership: Membership;
    lifecycle: Lifecycle;
    reclaim(): Promise<void>;
    log: Log;
  }) {
    this.#options = options;
  }

  /** Says how it stands; settles when that is acknowledged, refused or lost. */
  announce(): Promise<void> {
    const { log, membership } = this.#options;
    return membership.announce().catch((error) => {
      if (error instanceof ConnectionLostError) return;
      log.error("cannot publish the presence", { error });
    });
  }

  /** Takes note of a presence on this worker's own topic. */
  receive(presence: Presence | null, message: { retained: boolean }): void {
    const { lifecycle, log, membership, reclaim } = this.#options;
    const meaning = membership.receiveOwn(presence, message);
    if (meaning === "rival") this.#giveUp();
    // Otherwise it is dealt with on connect.
    if (!lifecycle.isConnected) return;
    if (meaning === "wrong") void this.announce();
    if (meaning === "adopted") {
      reclaim().catch((error) =>
        log.error("cannot take the tasks back", { error })
      );
    }
  }

  #giveUp(): void {
    const error = new IdInUseError(this.#options.workerId);
    this.#options.lifecycle.fail(error);
  }
}

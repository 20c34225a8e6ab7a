/**
 * A worker that comes back: as a new process, with a new connection, or after
 * the group has given up on it.
 *
 * @module
 */
import type { Membership } from "../group/membership.ts";
import { ConnectionLostError } from "../messages/packets.ts";
import type { Log } from "../tasks/ports.ts";
import type { Records } from "../tasks/records.ts";
import type { StatusBoard } from "../tasks/status_board.ts";
import type { TakeOver } from "../tasks/take_over.ts";
import type { Lifecycle } from "./lifecycle.ts";

/** What coming back needs. */
export interface RecoveryOptions {
  workerId: string;
  lifecycle: Pick<Lifecycle, "phase">;
  membership: Membership;
  board: StatusBoard;
  records: Records;
  takeOver: TakeOver;
  log: Log;
}

/** Puts in order what may have changed while this worker was away. */
export class Recovery {
  readonly #options: RecoveryOptions;
  #reclaiming: Promise<void> | null = null;

  /** Does nothing by itself. */
  constructor(options: RecoveryOptions) {
    this.#options = options;
  }

  /**
   * As a new process: takes over what an earlier one of this worker had.
   *
   * @throws {ConnectionLostError} the records could not be read
   */
  async recover(): Promise<void> {
    const { records, takeOver, workerId } = this.#options;
    await takeOver.records(await records.read(workerId), workerId);
  }

  /** With a new control connection. */
  async reconnected(session: { present: boolean }): Promise<void> {
    const { board, lifecycle, membership, records } = this.#options;
    if (!membership.isAdopted) {
      await board.reconnected(session);
      // A worker that is still starting does not know yet what it has.
      if (lifecycle.phase !== "starting") await records.reconnected();
    }
    // It may have been said meanwhile.
    await this.reclaim();
  }

  /**
   * After the group has given up on this worker, if it has: somebody may have
   * taken over what waits here, and ended what runs here. Looks at all of it,
   * under a new name, and drops what is no longer its own.
   */
  reclaim(): Promise<void> {
    this.#reclaiming ??= this.#reclaim().finally(() => this.#reclaiming = null);
    return this.#reclaiming;
  }

  async #reclaim(): Promise<void> {
    const { board, log, membership, records } = this.#options;
    while (membership.isAdopted) {
      log.warn("the group has taken over this worker's tasks meanwhile");
      membership.renew();
      try {
        await board.reconnected({ present: false });
        await records.reconnected();
      } catch (error) {
        // The next connection begins with it.
        if (!(error instanceof ConnectionLostError)) throw error;
      }
    }
  }
}

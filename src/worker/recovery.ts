/**
 * A worker that comes back: as a new process, with a new connection, or after
 * the group has given up on it.
 *
 * @module
 */
import type { Membership } from "../group/membership.ts";
import type { RollCall } from "../group/roll_call.ts";
import { ConnectionLostError } from "../messages/packets.ts";
import type { Log } from "../tasks/ports.ts";
import type { Journal } from "../tasks/journal.ts";
import type { FoundRecord, Records } from "../tasks/records.ts";
import type { StatusBoard } from "../tasks/status_board.ts";
import type { TakeOver } from "../tasks/take_over.ts";
import type { Lifecycle } from "./lifecycle.ts";

/** What coming back needs. */
export interface RecoveryOptions {
  workerId: string;
  lifecycle: Pick<Lifecycle, "phase">;
  membership: Membership;
  board: StatusBoard;
  journal: Journal;
  records: Records;
  takeOver: TakeOver;
  rollCall: Pick<RollCall, "hold">;
  log: Log;
  /** The group has taken this worker for dead. */
  onReclaim(): void;
  /** Says that this worker is there, with all that it has. */
  announce(): Promise<void>;
  /** Settles when both connections are ready. */
  untilReady(): Promise<void>;
  /** Takes and starts nothing before some work is done. */
  whileInDoubt(work: () => Promise<void>): Promise<void>;
}

/**
 * How long after the start the records are looked at once more, in milliseconds:
 * a broker may have been later with some of them than anybody knew.
 */
const SECOND_LOOK_MS = 5000;

/** Puts in order what may have changed while this worker was away. */
export class Recovery implements Disposable {
  readonly #options: RecoveryOptions;
  /** Whether the broker has what this worker has, as far as that is known. */
  #isPutRight = false;
  #secondLook: ReturnType<typeof setTimeout> | undefined;
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
    const { journal, log, takeOver } = this.#options;
    // By the journal first: what has begun must not be taken for what waits.
    const { begun, ended } = journal.tasks();
    await takeOver.written(begun);
    await this.#compare();
    // What has ended may be much, and nothing waits for it.
    takeOver.written(ended).catch((error) =>
      log.error("cannot publish all that the journal knows", { error })
    );
    this.#secondLook ??= setTimeout(
      // A connection that is lost begins with it when it is back.
      () => void this.#compare().catch(() => {}),
      SECOND_LOOK_MS,
    );
  }

  /** Whether what this worker has is on its topics again. */
  get isPutRight(): boolean {
    return this.#isPutRight;
  }

  /** The control connection is lost: the broker may forget. */
  disconnected(): void {
    this.#isPutRight = false;
  }

  /** With a new control connection. */
  async reconnected(session: { present: boolean }): Promise<void> {
    const { board, lifecycle, membership, records } = this.#options;
    // A worker that is still starting does not know yet what it has.
    const isStarting = lifecycle.phase === "starting";
    if (!membership.isAdopted) {
      await board.reconnected(session);
      if (!isStarting) this.#settle(await records.compare());
    }
    // It may have been said meanwhile.
    await this.reclaim();
    this.#isPutRight = true;
  }

  /** Waits for the others, and takes over what is not theirs. */
  #settle(unknown: FoundRecord[]): void {
    const { announce, log, rollCall, takeOver, workerId } = this.#options;
    this.#options.whileInDoubt(async () => {
      // Whoever reads "online" may count on the subscriptions.
      await this.#options.untilReady();
      void announce();
      if (await rollCall.hold()) await takeOver.records(unknown, workerId);
    }).catch((error) => log.error("cannot take over what is left", { error }));
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

  /** Nothing is looked at later by itself. */
  [Symbol.dispose](): void {
    clearTimeout(this.#secondLook);
  }

  /** Takes over whatever this worker has by its records, and does not know of. */
  async #compare(): Promise<void> {
    const { records, takeOver, workerId } = this.#options;
    await takeOver.records(await records.compare(), workerId);
  }

  async #reclaim(): Promise<void> {
    const { board, log, membership } = this.#options;
    while (membership.isAdopted) {
      log.warn("the group has taken over this worker's tasks meanwhile");
      this.#options.onReclaim();
      membership.renew();
      try {
        await board.reconnected({ present: false });
        await this.#compare();
      } catch (error) {
        // The next connection begins with it.
        if (!(error instanceof ConnectionLostError)) throw error;
      }
    }
  }
}

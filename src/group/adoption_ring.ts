/**
 * Which worker adopts a dead one, and when.
 *
 * The online workers form a ring in the order of their ids. The one that
 * follows the dead worker waits a little for its return, and adopts; if no
 * tombstone has come in time, the next one tries.
 *
 * @module
 */
import type { Presence } from "../messages/presence.ts";
import type { Log } from "../tasks/ports.ts";
import { AdoptedElsewhereError, WorkerReturnedError } from "./adoption.ts";
import type { Peers } from "./peers.ts";

/** What a place in the ring needs. */
export interface AdoptionRingOptions {
  workerId: string;
  peers: Peers;
  log: Log;
  /** How long a worker that is gone, and each of the ring, has; milliseconds. */
  timing: { returnMs: number; turnMs: number };
  /** Whether both connections are there. */
  connected(): boolean;
  /** Adopts a worker, until `signal` aborts; see `Adoption`. */
  adopt(dead: string, signal: AbortSignal): Promise<void>;
}

/** This worker's place in the ring. */
export class AdoptionRing implements Disposable {
  readonly #options: AdoptionRingOptions;
  readonly #timers = new Map<string, ReturnType<typeof setTimeout>>();
  /** Who is being adopted at this moment. */
  readonly #adopting = new Set<string>();
  #refused = false;
  readonly #stopped = new AbortController();

  /** Nobody is adopted before somebody is heard to be gone. */
  constructor(options: AdoptionRingOptions) {
    this.#options = options;
  }

  /** Takes note of a presence. */
  presence(workerId: string, presence: Presence | null): void {
    const { workerId: me } = this.#options;
    clearTimeout(this.#timers.get(workerId));
    this.#timers.delete(workerId);
    if (workerId === me || presence?.state !== "offline") return;
    // A mark of our own. One of an earlier process of ours has to be made good.
    if (this.#adopting.has(workerId)) return;
    this.#schedule(workerId);
  }

  /** Nobody is adopted any more. */
  [Symbol.dispose](): void {
    this.#stopped.abort();
    this.#timers.forEach((timer) => clearTimeout(timer));
    this.#timers.clear();
  }

  #schedule(dead: string): void {
    if (this.#stopped.signal.aborted) return;
    const { peers, workerId, log, timing } = this.#options;
    const ring = [...peers.online(), workerId].sort();
    const first = ring.findIndex((id) => id > dead);
    const start = first === -1 ? 0 : first;
    const place = (ring.indexOf(workerId) - start + ring.length) % ring.length;
    const wait = timing.returnMs + place * timing.turnMs;
    log.debug(`worker ${dead} is offline; adopting it in ${wait / 1000} s`);
    this.#timers.set(
      dead,
      setTimeout(() => {
        this.#timers.delete(dead);
        this.#turn(dead);
      }, wait),
    );
  }

  #turn(dead: string): void {
    const { adopt, connected, peers } = this.#options;
    if (peers.find(dead)?.state !== "offline") return;
    if (!connected()) return this.#schedule(dead);
    this.#adopting.add(dead);
    adopt(dead, this.#stopped.signal).finally(() => this.#adopting.delete(dead))
      .catch((error) => this.#failed(dead, error));
  }

  #failed(dead: string, error: unknown): void {
    const { log, peers } = this.#options;
    if (error instanceof AdoptedElsewhereError) {
      log.debug(`another worker adopts worker ${dead}`);
      // Should that one not come to its end, this one tries again.
      this.#schedule(dead);
      return;
    }
    if (error instanceof WorkerReturnedError) {
      if (this.#stopped.signal.aborted) return;
      log.info(`worker ${dead} is back; it is not adopted`);
      // Should it be gone again before it has said so, nobody else knows.
      if (peers.find(dead)?.state === "offline") this.#schedule(dead);
      return;
    }
    // Said once: where the access rules forbid it, they do so every time.
    if (!this.#refused) {
      log.warn(
        `cannot adopt worker ${dead}; its tasks wait for its return`,
        { error },
      );
    }
    this.#refused = true;
    this.#schedule(dead);
  }
}

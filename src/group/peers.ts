/**
 * What is known of the other workers of the group: their presence, and, while
 * somebody here needs it, their load.
 *
 * @module
 */
import type { Load, Presence } from "../messages/presence.ts";

/** The other workers of the group. */
export class Peers {
  readonly #workerId: string;
  readonly #presences = new Map<string, Presence>();
  readonly #loads = new Map<string, Load>();
  /** The seq of each load that a task has been offered by. */
  readonly #used = new Map<string, number>();
  readonly #offline = new Map<string, Set<() => void>>();

  /**
   * Knows nobody yet.
   *
   * @param workerId this worker, which is no peer of its own
   */
  constructor(workerId: string) {
    this.#workerId = workerId;
  }

  /** Takes note of a presence; null for one that was cleared. */
  presence(workerId: string, presence: Presence | null): void {
    if (presence) this.#presences.set(workerId, presence);
    else this.#presences.delete(workerId);
    if (presence?.state === "online") return;
    this.#offline.get(workerId)?.forEach((call) => call());
    this.#offline.delete(workerId);
  }

  /** The last presence of a worker. */
  find(workerId: string): Presence | undefined {
    return this.#presences.get(workerId);
  }

  /** Ids of all workers that are online, without this one, in order. */
  online(): string[] {
    return [...this.#presences.values()]
      .filter(({ state, worker_id }) =>
        state === "online" && worker_id !== this.#workerId
      )
      .map(({ worker_id }) => worker_id)
      .sort();
  }

  /** Calls back once, when a worker is no longer online. */
  whenOffline(workerId: string, call: () => void): () => void {
    let calls = this.#offline.get(workerId);
    if (!calls) this.#offline.set(workerId, calls = new Set());
    calls.add(call);
    return () => calls.delete(call);
  }

  /** Takes note of a load; null for one that was cleared. */
  load(workerId: string, load: Load | null): void {
    if (load) this.#loads.set(workerId, load);
    else this.#loads.delete(workerId);
  }

  /** Nobody tells us of loads any more. */
  forgetLoads(): void {
    this.#loads.clear();
  }

  /** A peer that would start a task at once, if there is one. */
  idle(): string | null {
    return this.#pick(({ free_slots, queued }) =>
      queued === 0 ? free_slots : 0
    );
  }

  /** A peer whose queue has room, if there is one. */
  withRoom(): string | null {
    return this.#pick(({ free_slots, room }) => free_slots * 1e6 + room);
  }

  /** A task has been offered to a peer on the strength of its last load. */
  offered(workerId: string): void {
    const load = this.#loads.get(workerId);
    if (load) this.#used.set(workerId, load.seq);
  }

  /** The best one by a figure above 0; equals take turns by chance. */
  #pick(figure: (load: Load) => number): string | null {
    let best: { id: string; figure: number; chance: number } | null = null;
    for (const id of this.online()) {
      const load = this.#loads.get(id);
      if (!load || this.#used.get(id) === load.seq) continue;
      const candidate = { id, figure: figure(load), chance: Math.random() };
      if (candidate.figure <= 0) continue;
      if (
        !best || candidate.figure > best.figure ||
        (candidate.figure === best.figure && candidate.chance > best.chance)
      ) best = candidate;
    }
    return best?.id ?? null;
  }
}

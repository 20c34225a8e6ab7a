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
  /** How many tasks have been offered on the strength of the last load. */
  readonly #offers = new Map<string, number>();
  #nextLoad: PromiseWithResolvers<void> | null = null;
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
    if (this.#loads.get(workerId)?.seq !== load?.seq) {
      this.#offers.delete(workerId);
    }
    if (load) this.#loads.set(workerId, load);
    else this.#loads.delete(workerId);
    this.#nextLoad?.resolve();
    this.#nextLoad = null;
  }

  /** Whether a peer has been offered tasks and has not said what came of them. */
  get undecided(): boolean {
    return this.online().some((id) =>
      this.#loads.has(id) && this.#offers.has(id)
    );
  }

  /** Settles with the next load that comes. */
  nextLoad(): Promise<void> {
    this.#nextLoad ??= Promise.withResolvers<void>();
    return this.#nextLoad.promise;
  }

  /** Nobody tells us of loads any more. */
  forgetLoads(): void {
    this.#loads.clear();
  }

  /** A peer that would start a task at once, if there is one. */
  idle(): string | null {
    return this.#pick(({ free_slots, queued }, offers) =>
      queued === 0 && offers === 0 ? free_slots : 0
    );
  }

  /** A peer whose queue has room, if there is one. */
  withRoom(): string | null {
    return this.#pick(({ free_slots, room }, offers) =>
      room <= offers ? 0 : Math.max(0, free_slots - offers) * 1e6 + room
    );
  }

  /** A task has been offered to a peer on the strength of its last load. */
  offered(workerId: string): void {
    this.#offers.set(workerId, (this.#offers.get(workerId) ?? 0) + 1);
  }

  /** The best one by a figure above 0; equals take turns by chance. */
  #pick(figure: (load: Load, offers: number) => number): string | null {
    let best: { id: string; figure: number; chance: number } | null = null;
    for (const id of this.online()) {
      const load = this.#loads.get(id);
      if (!load) continue;
      const candidate = {
        id,
        figure: figure(load, this.#offers.get(id) ?? 0),
        chance: Math.random(),
      };
      if (candidate.figure <= 0) continue;
      if (
        !best || candidate.figure > best.figure ||
        (candidate.figure === best.figure && candidate.chance > best.chance)
      ) best = candidate;
    }
    return best?.id ?? null;
  }
}

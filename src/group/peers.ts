/**
 * What is known of the other workers of the group: their presence, and, while
 * somebody here needs it, their load.
 *
 * @module
 */
import type { ScheduleSpec } from "../templates/schedule.ts";
import { isConnected, type Load, type Presence } from "../messages/presence.ts";
import { isIdle } from "./load.ts";

/** So old may be what is known of a peer that is to be idle, in milliseconds. */
const FRESH_MS = 1000;

/** What is asked for, as far as it decides who can run it. */
export interface Asked {
  readonly request: { readonly template?: string | undefined };
}

/** The other workers of the group. */
export class Peers {
  readonly #workerId: string;
  readonly #presences = new Map<string, Presence>();
  readonly #loads = new Map<string, Load>();
  /** When a load was last heard of each peer. */
  readonly #heardAt = new Map<string, number>();
  /** Ids of tasks that are to go to a peer, until they are there, or stay. */
  readonly #offers = new Map<string, Set<string>>();
  /** Tasks that a peer has taken since its last load, which lacks them. */
  readonly #taken = new Map<string, number>();
  #news: PromiseWithResolvers<void> | null = null;
  /** Of whom something was published since we look. */
  readonly #livePresences = new Set<string>();
  /** Of whom something has come that the session has not brought. */
  readonly #here = new Set<string>();
  readonly #offline = new Map<string, Set<() => void>>();

  /**
   * Knows nobody yet.
   *
   * @param workerId this worker, which is no peer of its own
   */
  constructor(workerId: string) {
    this.#workerId = workerId;
  }

  /** The control connection is lost. */
  disconnected(): void {
    this.#livePresences.clear();
  }

  /**
   * The control connection is back, and the presences were looked at: what has
   * come before may have waited in the session.
   */
  connected(): void {
    this.#here.clear();
  }

  /**
   * Takes note of a presence; null for one that was cleared.
   *
   * @returns false for one that is older than what is known
   */
  presence(
    workerId: string,
    presence: Presence | null,
    message: { retained: boolean },
  ): boolean {
    if (message.retained && this.#livePresences.has(workerId)) return false;
    if (!message.retained) {
      this.#livePresences.add(workerId);
      this.#here.add(workerId);
    }
    if (presence) this.#presences.set(workerId, presence);
    else this.#presences.delete(workerId);
    if (presence?.state === "online") return true;
    this.#offline.get(workerId)?.forEach((call) => call());
    this.#offline.delete(workerId);
    return true;
  }

  /** The last presence of a worker. */
  find(workerId: string): Presence | undefined {
    return this.#presences.get(workerId);
  }

  /** Whether no other worker was ever heard of. */
  get isAlone(): boolean {
    return this.#presences.size === 0;
  }

  /** Whether a worker is connected, by what it has said last. */
  isThere(workerId: string): boolean {
    return isConnected(this.#presences.get(workerId));
  }

  /** Whether the process of a worker that has said something is no more. */
  isGone(
    { worker_id, instance, updated_at }: Pick<
      Presence,
      "worker_id" | "instance" | "updated_at"
    >,
  ): boolean {
    const presence = this.#presences.get(worker_id);
    if (!presence || presence.instance === instance) {
      return presence === undefined || presence.state === "adopted";
    }
    // Its next process may have said something before it is known of.
    return presence.updated_at > updated_at;
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

  /** Of those who are online: who has said nothing since we look. */
  silent(): string[] {
    return this.online().filter((id) => !this.#here.has(id));
  }

  /** Calls back once, when a worker is no longer online. */
  whenOffline(workerId: string, call: () => void): () => void {
    let calls = this.#offline.get(workerId);
    if (!calls) this.#offline.set(workerId, calls = new Set());
    calls.add(call);
    return () => calls.delete(call);
  }

  /** Takes note of a load; null for one that was cleared. */
  load(
    workerId: string,
    load: Load | null,
    message: { retained: boolean },
  ): void {
    const known = this.#loads.get(workerId)?.seq;
    // One that was published since may have come first.
    if (message.retained && known !== undefined && load && load.seq < known) {
      return;
    }
    if (known !== load?.seq) this.#taken.delete(workerId);
    this.#heardAt.set(workerId, performance.now());
    if (load) this.#loads.set(workerId, load);
    else this.#loads.delete(workerId);
    this.#tell();
  }

  /** Whether what is known of a peer's room is about to change. */
  get undecided(): boolean {
    return this.online().some((id) =>
      this.#loads.has(id) && this.#ahead(id) > 0
    );
  }

  /** Settles with the next load that comes, or task that is no longer on its way. */
  news(): Promise<void> {
    this.#news ??= Promise.withResolvers<void>();
    return this.#news.promise;
  }

  /** Whether a load of a peer has come since a moment. */
  hasHeard(workerId: string, since: number): boolean {
    return (this.#heardAt.get(workerId) ?? -Infinity) >= since;
  }

  /** Some of the peers that could run a task, and are offered none, by chance. */
  sample(task: Asked, count: number): string[] {
    const able = this.ableTo(task).filter((id) => !this.#offers.has(id));
    const sample: string[] = [];
    while (sample.length < count && able.length > 0) {
      const at = Math.floor(Math.random() * able.length);
      sample.push(...able.splice(at, 1));
    }
    return sample;
  }

  /** A peer that would start a task at once, if there is one that can run it. */
  idle(task: Asked): string | null {
    return this.#pick(
      task,
      (load, ahead) =>
        isIdle(load) && ahead === 0 && this.#isFresh(load.worker_id)
          ? load.free_slots
          : 0,
    );
  }

  /**
   * A peer whose queue has room, if there is one that can run it.
   *
   * @param options.hopeful its last load may have counted what it has taken
   */
  withRoom(
    task: Asked,
    { hopeful = false }: { hopeful?: boolean } = {},
  ): string | null {
    return this.#pick(task, ({ free_slots, room, worker_id }, all) => {
      const ahead = hopeful ? this.#offersTo(worker_id) : all;
      return room <= ahead ? 0 : Math.max(0, free_slots - ahead) * 1e6 + room;
    });
  }

  /** Ids of the peers that are online and can run a task, in order. */
  ableTo({ request: { template } }: Asked): string[] {
    return template === undefined
      ? this.online()
      : this.online().filter((id) =>
        this.#presences.get(id)?.templates?.some(({ name }) =>
          name === template
        )
      );
  }

  /** The schedules that peers have of a template. */
  schedulesOf(template: string): ScheduleSpec[] {
    return this.ableTo({ request: { template } }).flatMap((id) =>
      this.#presences.get(id)!.templates!.flatMap(({ name, schedule }) =>
        name === template && schedule ? [schedule] : []
      )
    );
  }

  /** A task is to go to a peer: from now on there is less room there. */
  offered(workerId: string, taskId: string): void {
    const offers = this.#offers.get(workerId);
    if (offers) offers.add(taskId);
    else this.#offers.set(workerId, new Set([taskId]));
  }

  /** A peer has taken a task that it was offered. */
  taken(workerId: string): void {
    this.#taken.set(workerId, (this.#taken.get(workerId) ?? 0) + 1);
  }

  /** A task is no longer to go to a peer: it is there, or it stays. */
  settled(taskId: string): void {
    for (const [workerId, offers] of this.#offers) {
      if (offers.delete(taskId) && offers.size === 0) {
        this.#offers.delete(workerId);
      }
    }
    this.#tell();
  }

  #tell(): void {
    this.#news?.resolve();
    this.#news = null;
  }

  #isFresh(workerId: string): boolean {
    return this.hasHeard(workerId, performance.now() - FRESH_MS);
  }

  /** How many tasks a peer has, or will have, that its last load lacks. */
  #ahead(workerId: string): number {
    return this.#offersTo(workerId) + (this.#taken.get(workerId) ?? 0);
  }

  #offersTo(workerId: string): number {
    return this.#offers.get(workerId)?.size ?? 0;
  }

  /** The best one by a figure above 0; equals take turns by chance. */
  #pick(
    task: Asked,
    figure: (load: Load, ahead: number) => number,
  ): string | null {
    let best: { id: string; figure: number; chance: number } | null = null;
    for (const id of this.ableTo(task)) {
      const load = this.#loads.get(id);
      if (!load) continue;
      const candidate = {
        id,
        figure: figure(load, this.#ahead(id)),
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

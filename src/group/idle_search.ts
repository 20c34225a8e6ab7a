/**
 * Looking for an idle peer, for as long as a task waits here that one could
 * start at once.
 *
 * What that costs is the same in a large group:
 *
 * 1. a few peers are looked at, by chance. Where many are idle, one of them is,
 *    and that is all;
 * 2. if not, all are, once;
 * 3. from just before that on, this worker shares the loads that are published
 *    with all others that have a backlog: one of them hears of each. So whoever
 *    becomes idle is given one task, not one by each of them.
 *
 * Whoever shares and does not need what it hears keeps it from the others, so
 * the subscription ends with the need.
 *
 * @module
 */
import type { Topics } from "../messages/topics.ts";
import type { Log } from "../tasks/ports.ts";
import type { LoadChannel, LoadWatch, Look } from "./load_watch.ts";
import type { Asked, Peers } from "./peers.ts";

/** How many peers are looked at first. */
const SAMPLE = 3;

/** How long a look takes at most, in milliseconds. */
const LOOK_MS = 100;

/** What a search needs. */
export interface IdleSearchOptions {
  topics: Topics;
  channel: LoadChannel;
  peers: Peers;
  loads: Pick<LoadWatch, "look">;
  log: Log;
}

/** The search for idle peers. */
export class IdleSearch {
  readonly #options: IdleSearchOptions;
  /** The task that waits; null: none does. */
  #wanted: Asked | null = null;
  /** Templates for which all peers were looked at. */
  readonly #looked = new Set<string | undefined>();
  #isRunning = false;
  /** What was subscribed to is to be subscribed to again. */
  #isLost = false;
  #changed: PromiseWithResolvers<void> | null = null;

  /** Looks for nobody yet. */
  constructor(options: IdleSearchOptions) {
    this.#options = options;
  }

  /** A task waits, and nobody is known to be idle; call it as often as you like. */
  begin(task: Asked): void {
    this.#wanted = task;
    if (!this.#looked.has(task.request.template)) this.#wake();
    if (this.#isRunning) return;
    this.#isRunning = true;
    this.#run().catch((error) =>
      this.#options.log.debug("cannot look for idle workers", { error })
    ).finally(() => this.#isRunning = false);
  }

  /** No task waits that anybody else could start. */
  end(): void {
    this.#wanted = null;
    this.#wake();
  }

  /** The control connection is back. */
  async reconnected(session: { present: boolean }): Promise<void> {
    this.#isLost = true;
    this.#wake();
    const { channel, topics } = this.#options;
    // This process' share, or that of one before it.
    if (session.present) await channel.unsubscribe(topics.sharedLoads);
  }

  #wake(): void {
    this.#changed?.resolve();
    this.#changed = null;
  }

  async #run(): Promise<void> {
    const { channel, peers, topics } = this.#options;
    while (this.#wanted) {
      this.#isLost = false;
      this.#looked.clear();
      const sample = peers.sample(this.#wanted, SAMPLE);
      if (sample.length > 0) {
        const filters = sample.map((id) => topics.load(id));
        await channel.glance(filters, this.#look(sample));
      }
      if (!this.#wanted) break;
      await channel.listen(topics.sharedLoads);
      while (this.#wanted && !this.#isLost) {
        const { template } = this.#wanted.request;
        if (this.#looked.has(template)) {
          this.#changed ??= Promise.withResolvers<void>();
          await this.#changed.promise;
        } else {
          this.#looked.add(template);
          const all = this.#look(peers.ableTo(this.#wanted));
          await this.#options.loads.look(all);
        }
      }
      if (!this.#isLost) await channel.unsubscribe(topics.sharedLoads);
    }
  }

  /** A look at the loads of some peers, which begins now. */
  #look(ids: string[]): Look {
    const { peers } = this.#options;
    const since = performance.now();
    const heard = async () => {
      while (ids.some((id) => !peers.hasHeard(id, since))) {
        await peers.news();
      }
    };
    return { all: heard(), withinMs: LOOK_MS };
  }
}

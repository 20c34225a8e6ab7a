/**
 * One lock of the group, as one worker sees it that has tasks for it.
 *
 * What stands on the topic of a lock says which task has it. It is taken as the
 * status of a task is (see `topic_lock.ts`): `wanted` is a bid of one that waits,
 * `held` one of what runs. Of several that want it at once, the task that has
 * waited longest has it.
 *
 * Each time that it is taken is a **generation** of its own, one more than the
 * last: should two workers believe that they hold it, since a broker has
 * forgotten, the later generation has it; and what is said late of an earlier
 * one counts no more.
 *
 * A watch is
 *
 * - **looking**: subscribed; what stands there is on its way;
 * - **watching**: it is known whose it is;
 * - **taking**: our bid is on its way;
 * - **held**: a task of ours has it. Every few seconds the worker makes sure that
 *   the broker still hears it. A worker that is not heard for so long that the
 *   group may take it for dead ends the run: by then somebody else may have the
 *   lock;
 * - **closed**: nothing is watched any more.
 *
 * Whoever holds it says so again when somebody else says anything. A lock whose
 * holder is gone, by its worker's presence, is as good as free: the process that
 * took it is no more, and nothing that it ran.
 *
 * A lock that was given back is watched for some time yet: somebody who has lost
 * it may put back what he has lost to, later than it was given back.
 *
 * @module
 */
import { type Lock, lockSchema } from "../messages/lock.ts";
import {
  ConnectionLostError,
  type Incoming,
  type Outgoing,
} from "../messages/packets.ts";
import { readAs } from "../messages/presence.ts";
import { type Bid, bidderOf, type OwnMessage } from "./bid.ts";
import type { Log } from "./ports.ts";
import { Refusals } from "./refusals.ts";
import type { Task } from "./task.ts";
import { TopicLock } from "./topic_lock.ts";

/** How long what was given back stands, in seconds. */
const FREE_SECONDS = 3600;

/** How long a lock is watched after there was need, in milliseconds. */
const LINGER_MS = 10 * 60_000;

/** How often a holder makes sure that it is heard, in each time that it may not. */
const CONFIRMATIONS = 5;

/** More generations than any lock has. */
const MAX_GENERATION = 1e15;

type State = "looking" | "watching" | "taking" | "held" | "closed";

const MOVES: Record<State, readonly State[]> = {
  looking: ["watching", "closed"],
  watching: ["looking", "taking", "closed"],
  taking: ["watching", "held", "closed"],
  held: ["watching", "closed"],
  closed: [],
};

/** What stands on the topic of a lock, with its token. */
export interface Claim {
  readonly lock: Lock;
  readonly token: string | null;
}

/** A lock that a task of ours has. */
interface Own {
  readonly task: Task;
  readonly token: string;
  readonly claim: Claim;
  readonly lock: TopicLock<Claim>;
}

/** What a watch needs. */
export interface LockWatchOptions {
  /** This worker. */
  workerId: string;
  /** The lock's topic. */
  topic: string;
  /** This worker's process, by its name in the group. */
  instance(): string;
  /** Begins every token of this worker's. */
  newToken(): string;
  /** Subscribes; settles when what stands there has come. */
  lookUp(): Promise<void>;
  /** Ends the subscription. */
  unsubscribe(): void;
  /** Settles with the broker's acknowledgement. */
  publish(message: Outgoing): Promise<void>;
  /** Whether the process that has claimed it is no more. */
  isGone(claim: Lock): boolean;
  /** How long this worker may be unheard, in milliseconds. */
  leaseMs: number;
  log: Log;
  /** It may be free, or ours, or somebody else's. */
  onChange(): void;
  /** What runs with it has to end. */
  onLost(task: Task, why: string): void;
}

/** A lock, and whose it is. */
export class LockWatch {
  readonly #name: string;
  readonly #options: LockWatchOptions;
  #state: State = "looking";
  /** What was seen last. */
  #seen: Claim | null = null;
  /** Something was published since the last look. */
  #isLive = false;
  #own: Own | null = null;
  #generation = 0;
  /** All that see what is said: ours, and what has lost and still gives way. */
  readonly #listening = new Set<TopicLock<Claim>>();
  #lease: ReturnType<typeof setTimeout> | undefined;
  #confirmation: ReturnType<typeof setTimeout> | undefined;
  /** Ends the wait after the broker has refused a look. */
  #retry: ReturnType<typeof setTimeout> | undefined;
  readonly #refusals = new Refusals();
  #hasFailed = false;
  /** It was given back without a connection: the next look says so. */
  #isUnsaid = false;
  /** When there was need for it last. */
  #usedAt = performance.now();

  /** Looks at once. */
  constructor(name: string, options: LockWatchOptions) {
    this.#name = name;
    this.#options = options;
    this.#look();
  }

  /** Whether it is ours, or about to be. */
  get isClaimed(): boolean {
    return this.#state === "taking" || this.#state === "held";
  }

  /** The task of ours that has it. */
  get holder(): Task | null {
    return this.#state === "held" ? this.#own!.task : null;
  }

  /** Whether it may be taken. */
  get isFree(): boolean {
    return this.#state === "watching" && !this.#isTaken;
  }

  /** Whether a task would wait for it, by what is known. */
  blocks(task: Task): boolean {
    if (this.#state === "held") return this.#own!.task !== task;
    if (this.#hasFailed) return true;
    return this.#state === "watching" && this.#isTaken;
  }

  get #isTaken(): boolean {
    // While a bid of ours gives way, what stands there may be that one, in the
    // place of the one that it has lost to.
    return this.#listening.size > 0 ||
      this.#seen !== null && this.#isInForce(this.#seen.lock);
  }

  /** Whether nothing is done with it. */
  get isIdle(): boolean {
    return this.#state === "watching" && this.#listening.size === 0 &&
      !this.#isUnsaid;
  }

  /** Whether that has been so for long. */
  get isOld(): boolean {
    return this.isIdle && performance.now() - this.#usedAt > LINGER_MS;
  }

  /** Bids for it, for a task of ours; what comes of it is a change. */
  async take(task: Task): Promise<void> {
    this.#move("taking");
    const lock = this.#newLock();
    let own: Own | null = null;
    try {
      own = await this.#bid(lock, task);
    } catch (error) {
      lock.close();
      return this.#failed(error);
    }
    if (this.#isClosed) return;
    this.#own = own;
    this.#move(own ? "held" : "watching");
    if (own) this.#confirmed(performance.now());
    this.#options.onChange();
  }

  async #bid(lock: TopicLock<Claim>, task: Task): Promise<Own | null> {
    const looked = (await lock.look())?.value ?? null;
    if (this.#isClosed || (looked && this.#isInForce(looked.lock))) {
      lock.close();
      return null;
    }
    this.#generation = (looked?.lock.generation ?? 0) + 1;
    const token = this.#options.newToken();
    const taken = await lock.take(this.#claim(task, "wanted"), {
      token,
      since: sinceOf(this.#generation, { task, token }),
      from: looked?.token ?? null,
    });
    if (!taken || lock.isLost) return null;
    if (!await lock.enter(this.#claim(task, "held"))) return null;
    const claim = { lock: this.#claimOf(task, "held"), token };
    return { task, token, claim, lock };
  }

  /** Gives it back. */
  release(): void {
    const { claim, lock } = this.#own!;
    clearTimeout(this.#lease);
    clearTimeout(this.#confirmation);
    this.#own = null;
    this.#usedAt = performance.now();
    this.#move("watching");
    const isOurs = lock.token !== null;
    lock.close();
    if (isOurs) this.#free(claim);
    // What was given up may be another task's by now: what stands there tells.
    else if (!lock.isLost) this.#look();
  }

  /** A message on its topic. */
  receive(message: Incoming): void {
    if (this.#isClosed || (message.retained && this.#isLive)) return;
    if (!message.retained) this.#isLive = true;
    const read = readClaim(message);
    const generation = read?.value.lock.generation ?? Infinity;
    // What is said late of an earlier time counts no more.
    if (message.retained || generation >= (this.#seen?.lock.generation ?? 0)) {
      this.#seen = read?.value ?? null;
    }
    for (const lock of [...this.#listening]) lock.receive(message);
    const token = read?.bid.token ?? null;
    const own = this.#own;
    const isFree = read === null || read.value.lock.state === "free";
    if (own && isFree && token !== own.token && !message.retained) {
      void own.lock.publish(this.#claim(own.task, "held"));
    } else if (read && !isFree && this.#isLeftOver(read.value)) {
      this.#free(read.value);
    }
    this.#options.onChange();
  }

  /** The connection is lost. */
  disconnected(): void {
    for (const lock of this.#listening) lock.disconnected();
  }

  /** With a new connection: looks again, and says again what is ours. */
  async reconnected(session: { present: boolean }): Promise<void> {
    if (this.#state === "watching" || this.#hasFailed) this.#look();
    await Promise.all(
      [...this.#listening].map((lock) => lock.reconnected(session)),
    );
  }

  /** This worker may have been taken for dead: what runs with it has to end. */
  forfeit(): void {
    const own = this.#own;
    if (!own) return;
    clearTimeout(this.#lease);
    clearTimeout(this.#confirmation);
    // Whoever has it by now keeps it.
    own.lock.close();
    this.#options.onLost(
      own.task,
      `the broker could not be reached for so long that another task may have its lock "${this.#name}"`,
    );
  }

  /** Watches it no more. */
  close(): void {
    if (this.#isClosed) return;
    this.#move("closed");
    clearTimeout(this.#retry);
    clearTimeout(this.#lease);
    clearTimeout(this.#confirmation);
    for (const lock of [...this.#listening]) lock.close();
    this.#options.unsubscribe();
  }

  get #isClosed(): boolean {
    return this.#state === "closed";
  }

  #look(): void {
    if (this.#state !== "looking") this.#move("looking");
    clearTimeout(this.#retry);
    this.#seen = null;
    this.#lookUp().then(() => {
      if (this.#state !== "looking") return;
      this.#hasFailed = this.#isUnsaid = false;
      this.#refusals.end();
      this.#move("watching");
      this.#options.onChange();
    }, (error) => this.#failed(error));
  }

  /** The broker does not let us look: what waits for the lock goes on waiting. */
  #failed(error: unknown): void {
    if (this.#isClosed) return;
    const { isFirst, waitMs } = this.#refusals.next();
    if (isFirst) {
      this.#options.log.error(
        "cannot look at a lock; what needs it waits, and it is tried again",
        { lock: this.#name, topic: this.#options.topic, error },
      );
    }
    this.#hasFailed = true;
    if (this.#state === "taking") this.#move("watching");
    if (this.#state === "watching") this.#move("looking");
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => this.#look(), waitMs);
    this.#options.onChange();
  }

  #lookUp(): Promise<void> {
    this.#isLive = false;
    return this.#options.lookUp();
  }

  #isInForce(claim: Lock): boolean {
    return claim.state !== "free" &&
      claim.instance !== this.#options.instance() &&
      !this.#options.isGone(claim);
  }

  #newLock(): TopicLock<Claim> {
    const lock: TopicLock<Claim> = new TopicLock({
      lookUp: () => this.#lookUp(),
      unsubscribe: () => {
        this.#listening.delete(lock);
        this.#options.onChange();
      },
      publish: (message) => this.#options.publish(message),
      read: readClaim,
      isOver: (claim) => claim.lock.state === "free",
      isReplaceable: () => true,
      onLost: ({ value: { lock: { task_id, worker_id } } }) => {
        const own = this.#own;
        if (own?.lock !== lock) return;
        this.#options.onLost(
          own.task,
          `its lock "${this.#name}" is another task's: ${task_id} at ${worker_id}`,
        );
      },
      onContested: () => {},
      onRefused: (error) =>
        this.#options.log.error(
          "the broker refuses what is said of a lock; it is tried again",
          { lock: this.#name, error },
        ),
    });
    this.#listening.add(lock);
    return lock;
  }

  #claimOf(task: Task, state: "wanted" | "held"): Lock {
    return {
      lock: this.#name,
      state,
      task_id: task.id,
      worker_id: this.#options.workerId,
      instance: this.#options.instance(),
      created_at: task.createdAt.toISOString(),
      updated_at: new Date().toISOString(),
      generation: this.#generation,
    };
  }

  #claim(task: Task, state: "wanted" | "held"): OwnMessage {
    return {
      rank: RANKS[state],
      message: {
        topic: this.#options.topic,
        payload: JSON.stringify(this.#claimOf(task, state)),
        qos: 1,
        retain: true,
      },
    };
  }

  /**
   * Whether it is a claim of this process which nobody here makes any more: it
   * was given back, or lost, and somebody has put it back.
   */
  #isLeftOver({ lock, token }: Claim): boolean {
    return lock.instance === this.#options.instance() &&
      token !== this.#own?.token &&
      this.#listening.size === (this.#own ? 1 : 0);
  }

  /** Says that it was given back, however late. */
  #free({ lock, token }: Claim): void {
    const free: Lock = {
      ...lock,
      state: "free",
      updated_at: new Date().toISOString(),
    };
    this.#options.publish({
      topic: this.#options.topic,
      payload: JSON.stringify(free),
      qos: 1,
      retain: true,
      // With the next connection it may be another task's; a look comes first.
      fleeting: true,
      properties: {
        expirySeconds: FREE_SECONDS,
        // Behind all that was said under this token.
        user: { token: token!, seq: String(Number.MAX_SAFE_INTEGER) },
      },
    }).catch((error) => {
      if (error instanceof ConnectionLostError) this.#isUnsaid = true;
      else {
        this.#options.log.error("cannot give a lock back", {
          lock: this.#name,
          error,
        });
      }
    });
  }

  /** The broker has heard this worker at a moment of `performance.now()`. */
  #confirmed(at: number): void {
    const { leaseMs } = this.#options;
    clearTimeout(this.#lease);
    this.#lease = setTimeout(
      () => this.forfeit(),
      Math.max(0, at + leaseMs - performance.now()),
    );
    this.#confirmation = setTimeout(() => {
      const own = this.#own;
      const asked = performance.now();
      this.#options.lookUp().then(() => {
        if (own !== null && this.#own === own) this.#confirmed(asked);
      }, () => {});
    }, Math.max(0, at + leaseMs / CONFIRMATIONS - performance.now()));
  }

  #move(to: State): void {
    if (!MOVES[this.#state].includes(to)) {
      throw new TypeError(
        `Cannot move the watch of lock "${this.#name}" from ${this.#state} to ${to}`,
      );
    }
    this.#state = to;
  }
}

/** What waits before what runs before what has ended; see `topic_lock.ts`. */
const RANKS = { wanted: 0, held: 1, free: 2 } as const;

/** Of two bids the one with the lower text has waited longer. */
function sinceOf(
  generation: number,
  { task, token }: { task: Pick<Task, "createdAt">; token: string },
): string {
  const later = String(MAX_GENERATION - generation).padStart(16, "0");
  return `${later} ${task.createdAt.toISOString()} ${token}`;
}

/** Reads a message; null for nothing, and for what is no claim. */
function readClaim(
  message: Incoming,
): { value: Claim; bid: Bid } | null {
  const lock = readAs(lockSchema, message.payload);
  if (!lock) return null;
  const bidder = bidderOf(message);
  const { token } = bidder;
  return {
    value: { lock, token },
    bid: {
      ...bidder,
      rank: RANKS[lock.state],
      since: sinceOf(lock.generation, {
        task: { createdAt: new Date(lock.created_at) },
        token: token ?? "",
      }),
    },
  };
}

/**
 * The status topics of the tasks that this worker has, each of which is also
 * the task's lock (see `topic_lock.ts`; `bid.ts` says what a status says of its
 * holder): the group agrees by it on who has a task.
 *
 * What has ended here is remembered for a while: a broker that has forgotten its
 * latest minutes, or delivers again what was answered, is put right. So it is by
 * what the journal knows of an earlier process (see `journal.ts`).
 *
 * @module
 */
import type {
  Incoming,
  MessageProperties,
  Outgoing,
} from "../messages/packets.ts";
import {
  encodeTaskStatus,
  shortenTaskStatus,
  type TaskStatus,
} from "../messages/task_status.ts";
import type { Topics } from "../messages/topics.ts";
import { ending, endingOf, type OwnMessage, raised } from "./bid.ts";
import { type Arrival, judge, type Judgement } from "./duplicates.ts";
import type { Journal } from "./journal.ts";
import { lookUp } from "./look_up.ts";
import type { TaskObserver } from "./observer.ts";
import type { Channel, Log } from "./ports.ts";
import { type PublishedStatus, readBid } from "./published_status.ts";
import {
  responseProperties,
  responsePropertiesOf,
  type Responses,
} from "./responses.ts";
import { isFinal, rankOf } from "./states.ts";
import type { Task } from "./task.ts";
import { TopicLock, type TopicLockOptions } from "./topic_lock.ts";

/** How long it is remembered what has ended here, in milliseconds. */
const REMEMBERED_MS = 10 * 60_000;

/** How many of them at most; the oldest is forgotten first. */
const MAX_REMEMBERED = 1000;

/** What came of looking at a task's topic. */
export interface Look {
  judgement: Judgement;
  seen: PublishedStatus | null;
  /** Whether it was published while it was looked: who has said it lives. */
  isNew: boolean;
}

interface Ended {
  readonly lock: TopicLock<PublishedStatus>;
  readonly seen: PublishedStatus;
  readonly until: number;
}

/** The statuses of this worker's tasks. */
export class StatusBoard {
  readonly #options: StatusBoardOptions;
  readonly #locks = new Map<string, TopicLock<PublishedStatus>>();
  /** All that watch a task's topic; one may be through, and another begin. */
  readonly #watching = new Map<string, Set<TopicLock<PublishedStatus>>>();
  /** The tasks that are this worker's. */
  readonly #held = new Map<string, Task>();
  readonly #ended = new Map<string, Ended>();
  /** Who waits for a peer to take a task that was offered to it. */
  readonly #waiting = new Map<string, (worker: string) => void>();
  #takes = 0;

  constructor(options: StatusBoardOptions) {
    this.#options = options;
  }

  /** The token under which this worker holds a task; null if it does not. */
  token(taskId: string): string | null {
    return this.#locks.get(taskId)?.token ?? null;
  }

  /**
   * Subscribes to the status topic of a task, and judges by what stands there.
   * Unless it is to be taken or ended, nothing is left subscribed. An end that
   * the journal alone knows is published.
   *
   * @param arrival how the request came, by what is known when it is judged
   * @param options.holder whose tasks are taken over: what is queued there may
   * be taken
   */
  async look(
    taskId: string,
    arrival: () => Arrival,
    { holder = this.#options.workerId }: { holder?: string } = {},
  ): Promise<Look> {
    const judgeIt = (seen: PublishedStatus | null, how = arrival()) =>
      judge(seen, how, {
        workerId: holder,
        windowSeconds: this.#options.windowSeconds,
      });
    /** As a request that comes from its requester, for the first time. */
    const mayFollow = (end: PublishedStatus, how: Partial<Arrival>) =>
      judgeIt(end, { ...how, redelivered: false, from: null }) === "take";
    const { isScheduled = false } = arrival();
    const lock = this.#lockOf(taskId, {
      isOver: (seen) => judgeIt(seen) === "take",
      isReplaceable: (end) => mayFollow(end, { isScheduled }),
    });
    this.#locks.set(taskId, lock);
    const sighting = await lock.look();
    const there = sighting?.value ?? null;
    const seen = this.#newer(
      taskId,
      there,
      (ended) => mayFollow(ended, { ...arrival(), isAccepted: false }),
    );
    const isNew = seen !== null && seen === there &&
      !sighting!.message.retained;
    const judgement = judgeIt(seen);
    if (judgement === "take" || judgement === "left behind") {
      return { isNew, judgement, seen };
    }
    if (
      seen !== there && !this.#ended.has(taskId) &&
      this.#isLacking(seen!, there)
    ) await this.#putRight(seen!);
    else this.forget(taskId);
    return { isNew, judgement, seen };
  }

  /**
   * Takes a task that was looked at: publishes its `queued` status, and waits
   * to see whose it is.
   *
   * @param from the token of the holder that it is taken over from, if any
   * @returns false if somebody else has it; nothing is left subscribed then
   */
  async take(task: Task, from: string | null): Promise<boolean> {
    const lock = this.#locks.get(task.id)!;
    const queued = this.#statusOf(task);
    this.#forgetEnd(task.id);
    // A better bid may have come right behind our own.
    const won = await lock.take(queued, this.#bidderFor(task, from)) &&
      !lock.isLost;
    if (won) {
      this.#held.set(task.id, task);
      this.#respond(task, queued.message);
    } else this.forget(task.id);
    return won;
  }

  /**
   * Takes a task again that this worker has, under a new token: whoever it was
   * offered to is late by it.
   *
   * @returns false if somebody else has it; nothing is left subscribed then
   */
  async retake(task: Task): Promise<boolean> {
    const lock = this.#locks.get(task.id);
    return lock !== undefined && !lock.isLost && await this.take(task, null);
  }

  /**
   * Publishes that a task runs, and waits to see that it is still this worker's.
   *
   * @returns false if somebody else has it
   */
  async begin(task: Task): Promise<boolean> {
    const lock = this.#locks.get(task.id);
    if (!lock) return false;
    const running = this.#statusOf(task);
    if (!await lock.enter(running)) return false;
    this.#respond(task, running.message);
    return true;
  }

  /**
   * Writes into the journal that the run of a task begins.
   *
   * @throws {Error} that cannot be written: it must not begin
   */
  writeBegin(task: Task): Promise<void> {
    return this.#options.journal.begun(this.#seenOf(task));
  }

  /** Writes into the journal how it has ended; settles when that is there. */
  writeEnd(task: Task): Promise<void> {
    return this.#options.journal.ended(this.#seenOf(task));
  }

  #seenOf(task: Task): PublishedStatus {
    return {
      status: task.status(this.#options.workerId),
      token: this.token(task.id),
      from: null,
      held: true,
      properties: responseProperties(task.response),
    };
  }

  /** Publishes how a task that runs stands now; a newer one may replace it. */
  update(task: Task): void {
    const own = this.#statusOf(task);
    void this.#locks.get(task.id)?.publish(own);
    this.#respond(task, own.message);
  }

  /**
   * Publishes a task's final status, of one that is held, or that was looked at
   * and is refused.
   *
   * @returns settles when the broker has acknowledged it; never rejects
   */
  async end(task: Task): Promise<void> {
    const { observer } = this.#options;
    const lock = this.#locks.get(task.id);
    // One alone ends what waits.
    if (lock?.isWaiting && !await lock.raise()) {
      return this.forget(task.id);
    }
    observer?.ended(task);
    if (!lock) return;
    const own = this.#statusOf(task);
    this.#forgetEnd(task.id);
    const { isInDoubt } = lock;
    const published = lock.token
      ? lock.end(own)
      : lock.finish(own, this.#bidderFor(task));
    // Somebody was quicker to take what is refused here.
    if (lock.isLost) return this.forget(task.id);
    if (!isInDoubt) this.#respond(task, own.message);
    await published;
    // It was away for so long that somebody else has ended it meanwhile.
    if (lock.isLost) return this.forget(task.id);
    if (isInDoubt) this.#respond(task, own.message);
    this.#options.journal.told(this.#seenOf(task));
    this.#rest(lock, task.status(this.#options.workerId));
  }

  /**
   * Publishes the end of a task that was looked at, which the journal has and
   * the broker has not, unless somebody else has ended it meanwhile.
   */
  async #putRight(end: PublishedStatus): Promise<void> {
    const { journal, log, responses } = this.#options;
    const { properties, status, token } = end;
    const taskId = status.task_id;
    const lock = this.#locks.get(taskId)!;
    const own = this.#messageOf(status, { held: true, properties });
    const bidder = this.#bidder({ since: status.created_at, from: token });
    if (!await lock.take(own, bidder) || lock.isLost) {
      return this.forget(taskId);
    }
    log.info(`the broker did not have the end of a task: ${status.state}`, {
      task_id: taskId,
    });
    responses.follow(own.message, taskId);
    journal.told(end);
    this.#rest(lock, status);
  }

  /** Whether the end of a task is missing where it has not expired. */
  #isLacking(
    { status }: PublishedStatus,
    there: PublishedStatus | null,
  ): boolean {
    const { retentionSeconds } = this.#options;
    const ended = new Date(status.completed_at ?? 0).getTime();
    const hasExpired = retentionSeconds > 0 &&
      Date.now() - ended > retentionSeconds * 1000;
    const isThere = there !== null && isFinal(there.status.state) &&
      there.status.created_at >= status.created_at;
    return isFinal(status.state) && !hasExpired && !isThere;
  }

  /** It has come to its end here, which is remembered for a while. */
  #rest(lock: TopicLock<PublishedStatus>, status: TaskStatus): void {
    const taskId = status.task_id;
    this.#held.delete(taskId);
    this.#locks.delete(taskId);
    const { token } = lock;
    const held = token !== null;
    const seen = { status, token, from: null, held, properties: {} };
    lock.rest(seen);
    this.#remember(taskId, { lock, seen });
  }

  /**
   * Ends a task that was looked at, and that its holder has left behind: takes
   * it over as it stands, so that one alone ends it, and publishes its end.
   *
   * @returns false if somebody else has it; nothing is left subscribed then
   */
  async endOnBehalf(
    taskId: string,
    seen: PublishedStatus,
    end: TaskStatus,
  ): Promise<boolean> {
    const { journal, responses } = this.#options;
    const lock = this.#locks.get(taskId)!;
    const properties = responsePropertiesOf(seen.properties);
    const standing = raised(
      this.#messageOf(seen.status, { held: true, properties }),
    );
    const after = endingOf(seen);
    const taken = await lock.take(
      // Its holder lets go of it only to a bid that is as high as its own.
      after > 0 ? ending(standing, after) : standing,
      this.#bidder({ since: seen.status.created_at, from: seen.token }),
    );
    if (!taken || lock.isLost) {
      this.forget(taskId);
      return false;
    }
    const own = this.#messageOf(end, { held: true, properties });
    const ended = {
      status: end,
      token: lock.token,
      from: null,
      held: true,
      properties,
    };
    await journal.ended(ended);
    this.#forgetEnd(taskId);
    const { isInDoubt } = lock;
    if (!isInDoubt) responses.follow(own.message, taskId);
    await lock.end(own);
    if (lock.isLost) {
      this.forget(taskId);
      return false;
    }
    if (isInDoubt) responses.follow(own.message, taskId);
    journal.told(ended);
    this.#rest(lock, end);
    return true;
  }

  /**
   * Waits for a peer to take a task that was offered to it.
   *
   * @returns who has it; null when `signal` aborts before
   */
  gone(taskId: string, signal: AbortSignal): Promise<string | null> {
    if (!this.#locks.has(taskId) || signal.aborted) {
      return Promise.resolve(null);
    }
    const { promise, resolve } = Promise.withResolvers<string | null>();
    const given = () => resolve(null);
    signal.addEventListener("abort", given, { once: true });
    this.#waiting.set(taskId, resolve);
    return promise.finally(() => {
      signal.removeEventListener("abort", given);
      this.#waiting.delete(taskId);
    });
  }

  /** Stops watching a task's topic. */
  forget(taskId: string): void {
    this.#held.delete(taskId);
    this.#locks.get(taskId)?.close();
    this.#locks.delete(taskId);
  }

  /** A message on the status topic of a task. */
  receive(taskId: string, message: Incoming): void {
    this.#watching.get(taskId)?.forEach((lock) => lock.receive(message));
  }

  /** The connection is lost. */
  disconnected(): void {
    for (const lock of this.#all()) lock.disconnected();
  }

  /**
   * With a new connection, or when the group has given up on this worker: looks
   * at everything again, and says again what the broker does not have.
   */
  async reconnected(session: { present: boolean }): Promise<void> {
    this.#forgetOldEnds();
    await Promise.all(this.#all().map((lock) => lock.reconnected(session)));
  }

  #all(): TopicLock<PublishedStatus>[] {
    return [...this.#watching.values()].flatMap((locks) => [...locks]);
  }

  /** Of what stands there and what began or ended here, the later. */
  #newer(
    taskId: string,
    there: PublishedStatus | null,
    isOver: (seen: PublishedStatus) => boolean,
  ): PublishedStatus | null {
    const ended = this.#ended.get(taskId)?.seen;
    const seen = ended ?? this.#options.journal.known(taskId);
    if (!seen) return there;
    if (there === null) return seen;
    const age = there.status.created_at;
    const isLater = isFinal(seen.status.state)
      ? age > seen.status.created_at && isOver(seen)
      // Whoever has taken it over may have gone on with it, or ended it.
      : age >= seen.status.created_at &&
        rankOf(there.status, { held: true }) > 0;
    if (isLater) return there;
    // Whoever is there by the broker is who it is to be taken over from.
    return ended ?? { ...seen, token: there.token };
  }

  #remember(taskId: string, { lock, seen }: Omit<Ended, "until">): void {
    const until = performance.now() + REMEMBERED_MS;
    this.#ended.set(taskId, { lock, seen, until });
    this.#forgetOldEnds();
  }

  #forgetOldEnds(): void {
    const now = performance.now();
    for (const [taskId, { until }] of this.#ended) {
      if (until > now && this.#ended.size <= MAX_REMEMBERED) return;
      this.#forgetEnd(taskId);
    }
  }

  /** Another task has the id, or it is too long ago. */
  #forgetEnd(taskId: string): void {
    this.#ended.get(taskId)?.lock.close();
    this.#ended.delete(taskId);
  }

  /** This worker, as it bids for a task: under a token that is new each time. */
  #bidder({ since, from }: { since: string; from: string | null }) {
    return { token: `${this.#options.instance}.${++this.#takes}`, since, from };
  }

  #bidderFor(task: Task, from: string | null = null) {
    return this.#bidder({ since: task.createdAt.toISOString(), from });
  }

  /** A task's status as it is now. */
  #statusOf(task: Task): OwnMessage {
    const held = this.token(task.id) !== null;
    return this.#messageOf(task.status(this.#options.workerId), {
      held,
      // Whoever ends the task after our death knows by it where else to say so.
      properties: responseProperties(task.response),
      // As long as its signature is good, its status is what tells a replay.
      keptUntil: task.signature?.expiresAt ?? null,
    });
  }

  #messageOf(
    status: TaskStatus,
    { held, properties, keptUntil = null }: {
      held: boolean;
      properties: MessageProperties;
      keptUntil?: Date | null;
    },
  ): OwnMessage {
    const { retentionSeconds, topics } = this.#options;
    const expires = isFinal(status.state) && retentionSeconds > 0;
    const until = keptUntil
      ? Math.ceil((keptUntil.getTime() - Date.now()) / 1000)
      : 0;
    return {
      rank: rankOf(status, { held }),
      message: {
        topic: topics.status(status.task_id),
        payload: encodeTaskStatus(status),
        qos: 1,
        retain: true,
        replaceable: status.state === "running",
        properties: {
          ...properties,
          ...(expires && { expirySeconds: Math.max(retentionSeconds, until) }),
        },
        shorten: (bytes) => shortenTaskStatus(status, bytes),
      },
    };
  }

  #respond(task: Task, message: Outgoing): void {
    if (!task.response) return;
    this.#options.responses.send(task.response, {
      ...message,
      about: task.id,
    });
  }

  #lockOf(
    taskId: string,
    rules: Pick<TopicLockOptions<PublishedStatus>, "isOver" | "isReplaceable">,
  ): TopicLock<PublishedStatus> {
    const { channel, log, onContested, onGone, topics } = this.#options;
    const topic = topics.status(taskId);
    const lock = new TopicLock<PublishedStatus>({
      lookUp: () => lookUp(topic, this.#options),
      unsubscribe: () => {
        const locks = this.#watching.get(taskId)!;
        locks.delete(lock);
        if (this.#ended.get(taskId)?.lock === lock) this.#ended.delete(taskId);
        if (locks.size > 0) return;
        this.#watching.delete(taskId);
        // Without a connection the subscription stays in the session; what it
        // brings is of a task that we no longer know, and is passed over.
        channel.unsubscribe(topic).catch(() => {});
      },
      publish: (message) => channel.publish(message),
      read: readBid,
      ...rules,
      onLost: ({ value }) => {
        const waiting = this.#waiting.get(taskId);
        if (waiting) waiting(value.status.worker_id);
        else onGone(taskId);
      },
      onContested: () => {
        const task = this.#held.get(taskId);
        if (task) onContested(task);
      },
      onRefused: (error) =>
        log.error("the broker refuses a status; it is tried again", {
          task_id: taskId,
          error,
        }),
    });
    const watching = this.#watching.get(taskId);
    if (watching) watching.add(lock);
    else this.#watching.set(taskId, new Set([lock]));
    return lock;
  }
}

/** What the board needs. */
export interface StatusBoardOptions {
  channel: Channel;
  /** Settles when the channel is connected. */
  connected(): Promise<void>;
  topics: Topics;
  workerId: string;
  /** What an earlier process has run. */
  journal: Journal;
  /** Begins every token of this process. */
  instance: string;
  /** How long the broker keeps a final status; 0: for ever. */
  retentionSeconds: number;
  /** How long an id counts as the same request. */
  windowSeconds: number;
  /** Sends each status also where its requester wants. */
  responses: Pick<Responses, "follow" | "send">;
  log: Log;
  observer?: TaskObserver;
  /** Somebody else has a task that was not offered. */
  onGone(taskId: string): void;
  /** A task is lost to who has accepted the same request, before this worker. */
  onContested(task: Task): void;
}

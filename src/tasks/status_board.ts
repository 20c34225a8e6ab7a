/**
 * The status topics of the tasks that this worker has, each of which is also
 * the task's lock: the group agrees by it on who has a task.
 *
 * A retained status carries, as MQTT user properties, the `token` of its holder
 * (new each time that a worker takes a task) and a `seq` that rises with each
 * status. To take a task, a worker
 *
 * 1. subscribes to its status topic, and so learns what stands there and sees
 *    everything that is published from then on;
 * 2. judges by it whether the task may be taken at all;
 * 3. publishes `queued` with a token of its own, and waits until it sees that
 *    message come back.
 *
 * The broker puts all publications on a topic into one order, and every
 * contender is subscribed before it publishes. So of two that take a task at
 * once, the later one sees the `queued` of the earlier one before its own, and
 * gives way; the earlier one sees its own first, and has the task. The one that
 * gave way puts back what it has overwritten, and the holder does the same when
 * it sees a stranger's status on a topic of its own.
 *
 * A holder that is alive lets a task go only to the peer that it has offered it
 * to, and a dead one to whoever finds the task in its session: either publishes
 * the last holder's token as `from`. A holder that sees its own token there no
 * longer has the task. Of two that take a task over from one holder, the same
 * order decides; a stranger that comes in between gives way to the holder, and
 * so to whoever takes over from it.
 *
 * A watch is **looking** (1), **judged** (2), **taking** (3), **held**, or
 * **gone**: somebody has taken the task over from us.
 *
 * @module
 */
import { readAs } from "../messages/presence.ts";
import { encodeTaskStatus, taskStatusSchema } from "../messages/task_status.ts";
import type { Topics } from "../messages/topics.ts";
import {
  type Arrival,
  judge,
  type Judgement,
  type Sighting,
} from "./duplicates.ts";
import { isFinal } from "./states.ts";
import type { TaskObserver } from "./observer.ts";
import type { Channel, Log, Publication, Seen } from "./ports.ts";
import { responseProperties, type Responses } from "./responses.ts";
import type { Task } from "./task.ts";

interface Watch {
  state: "looking" | "judged" | "taking" | "held" | "gone";
  /** What was last seen on the topic from somebody else. */
  last: (Sighting & { publication: Publication }) | null;
  token: string;
  /** The token that we take the task over from. */
  from: string | null;
  /** Whether the status of that holder stood there. */
  stood: boolean;
  /** Whether somebody else was seen after it was judged. */
  beaten: boolean;
  echo: PromiseWithResolvers<void> | null;
  /** The newest seq of ours that was published, and that was seen. */
  seq: number;
  seenSeq: number;
  /** What we published last. */
  newest: Publication | null;
  onGone: ((to: string) => void) | null;
}

/** What came of looking at a task's topic. */
export interface Look {
  /** What to do with the request. */
  judgement: Judgement;
  /** What stood there. */
  seen: Sighting | null;
}

/** The statuses of this worker's tasks. */
export class StatusBoard {
  readonly #channel: Channel;
  readonly #topics: Topics;
  readonly #workerId: string;
  readonly #log: Log;
  readonly #retentionSeconds: number;
  readonly #windowSeconds: number;
  readonly #connected: () => Promise<void>;
  readonly #onGone: (taskId: string) => void;
  readonly #responses: Pick<Responses, "send">;
  readonly #observer: TaskObserver | undefined;
  readonly #watches = new Map<string, Watch>();
  #instance: string;
  #takes = 0;

  /**
   * Holding no task.
   *
   * @param options.connected settles when the channel is connected
   * @param options.instance begins every token of this process
   * @param options.responses sends each status also where its requester wants
   * @param options.onGone somebody has taken a task over that we did not offer
   */
  constructor(options: {
    channel: Channel;
    connected: () => Promise<void>;
    topics: Topics;
    workerId: string;
    instance: string;
    retentionSeconds: number;
    windowSeconds: number;
    responses: Pick<Responses, "send">;
    log: Log;
    observer?: TaskObserver;
    onGone(taskId: string): void;
  }) {
    this.#channel = options.channel;
    this.#connected = options.connected;
    this.#topics = options.topics;
    this.#workerId = options.workerId;
    this.#instance = options.instance;
    this.#retentionSeconds = options.retentionSeconds;
    this.#windowSeconds = options.windowSeconds;
    this.#log = options.log;
    this.#responses = options.responses;
    this.#onGone = options.onGone;
    this.#observer = options.observer;
  }

  /** The token under which this worker holds a task; null if it does not. */
  token(taskId: string): string | null {
    const watch = this.#watches.get(taskId);
    return watch?.state === "held" ? watch.token : null;
  }

  /**
   * Subscribes to the status topic of a task, and judges by what stands there.
   * Unless the judgement is to take it, nothing is left subscribed.
   */
  async look(taskId: string, arrival: Arrival): Promise<Look> {
    const watch: Watch = {
      state: "looking",
      last: null,
      token: "",
      from: arrival.from,
      stood: false,
      beaten: false,
      echo: null,
      seq: 0,
      seenSeq: -1,
      newest: null,
      onGone: null,
    };
    this.#watches.set(taskId, watch);
    return await this.#judge(taskId, watch, arrival);
  }

  /**
   * Takes a task that was looked at: publishes its `queued` status, and waits
   * to see whose it is.
   *
   * @returns false if somebody else has it; nothing is left subscribed then
   * @throws the broker refused the status
   */
  async take(task: Task): Promise<boolean> {
    const watch = this.#watches.get(task.id)!;
    watch.state = "taking";
    watch.token = `${this.#instance}.${++this.#takes}`;
    watch.seq = 0;
    watch.seenSeq = -1;
    watch.echo = Promise.withResolvers<void>();
    const queued = this.#statusOf(task);
    this.#channel.publish(queued).catch((error) => watch.echo?.reject(error));
    await watch.echo.promise;
    watch.echo = null;
    if (!watch.beaten) {
      this.#respond(task, queued);
      return true;
    }
    await this.#putBack(task.id, watch).catch((error) =>
      this.#refused(task.id, error)
    );
    this.forget(task.id);
    return false;
  }

  /**
   * Puts back what was overwritten. If the holder ends the task while that is on
   * its way, its final status is overwritten in turn, and it looks no longer: so
   * whoever puts back looks for that.
   */
  async #putBack(taskId: string, watch: Watch): Promise<void> {
    const put = watch.last;
    if (!put) return;
    await this.#channel.publish(put.publication);
    if (isFinal(put.status.state)) return;
    // All that came before it has come here when this is answered.
    await this.#channel.subscribe(this.#topics.status(taskId), {
      qos: 1,
      retained: false,
    });
    if (isFinal(watch.last!.status.state)) {
      await this.#channel.publish(watch.last!.publication);
    }
  }

  /**
   * Takes a task again that this worker already has, under a new token, so that
   * nobody can take it over by the old one any more.
   *
   * @returns false if somebody else has it; nothing is left subscribed then
   */
  async retake(task: Task): Promise<boolean> {
    const watch = this.#watches.get(task.id);
    if (!watch) return false;
    watch.state = "looking";
    watch.from = watch.token;
    watch.seenSeq = -1;
    const { judgement } = await this.#judge(task.id, watch, {
      redelivered: true,
      from: null,
    });
    return judgement === "take" && await this.take(task);
  }

  /**
   * Publishes a task's status as it is now. A `running` one may be replaced by
   * a newer one while it waits.
   *
   * @returns settles when the broker has acknowledged it
   */
  publish(task: Task): Promise<void> {
    const publication = this.#statusOf(task);
    if (task.final) this.#observer?.ended(task);
    const acknowledged = this.#channel.publish(publication);
    this.#respond(task, publication);
    return acknowledged;
  }

  /** A task's status as it is now. */
  #statusOf(task: Task): Publication {
    const watch = this.#watches.get(task.id);
    const user: Record<string, string> = {};
    if (watch) {
      user.token = watch.token;
      user.seq = String(++watch.seq);
      if (watch.from) user.from = watch.from;
    }
    const publication: Publication = {
      topic: this.#topics.status(task.id),
      payload: encodeTaskStatus(task.status(this.#workerId)),
      qos: 1,
      retain: true,
      replaceable: task.state === "running",
      // Whoever ends the task after our death knows by it where else to say so.
      properties: { user, ...responseProperties(task.response) },
    };
    if (task.final && this.#retentionSeconds > 0) {
      // As long as its signature is good, this is what tells a replay.
      const signed = task.signature
        ? Math.ceil((task.signature.expiresAt.getTime() - Date.now()) / 1000)
        : 0;
      publication.properties!.expirySeconds = Math.max(
        this.#retentionSeconds,
        signed,
      );
    }
    if (watch) watch.newest = publication;
    return publication;
  }

  #respond(task: Task, { payload, replaceable = false }: Publication): void {
    if (!task.response) return;
    this.#responses.send(task.response, {
      payload,
      about: task.id,
      replaceable,
    });
  }

  /**
   * Waits for a peer to take a task that was offered to it.
   *
   * @returns who has it; null when `signal` aborts before
   */
  gone(taskId: string, signal: AbortSignal): Promise<string | null> {
    const watch = this.#watches.get(taskId);
    if (!watch || signal.aborted) return Promise.resolve(null);
    const { promise, resolve } = Promise.withResolvers<string | null>();
    const given = () => resolve(null);
    signal.addEventListener("abort", given, { once: true });
    watch.onGone = resolve;
    return promise.finally(() => {
      signal.removeEventListener("abort", given);
      watch.onGone = null;
    });
  }

  /**
   * Whether somebody else has published a final status for a task that this
   * worker runs.
   */
  async endedElsewhere(taskId: string): Promise<boolean> {
    const watch = this.#watches.get(taskId);
    if (!watch) return false;
    const before = watch.state;
    watch.state = "looking";
    await this.#subscribe(taskId);
    watch.state = before;
    return watch.last !== null && isFinal(watch.last.status.state);
  }

  /** Stops watching a task's topic. */
  forget(taskId: string): void {
    if (!this.#watches.delete(taskId)) return;
    // Without a connection the subscription stays in the session; what it
    // brings is of a task that we no longer know, and is passed over.
    this.#channel.unsubscribe(this.#topics.status(taskId)).catch(() => {});
  }

  /** A message on the status topic of a task. */
  receive(taskId: string, message: Seen): void {
    const watch = this.#watches.get(taskId);
    if (!watch) return;
    const status = readAs(taskStatusSchema, message.payload);
    if (!status) return;
    const user = message.properties.user ?? {};
    // A task that was refused was never held, and so its status has no name.
    const token = user.token || null;
    if (token !== null && token === watch.token) {
      this.#seenOurs(taskId, watch, Number(user.seq));
      return;
    }
    if (
      watch.state === "gone" && watch.last && isFinal(watch.last.status.state)
    ) return;
    const sighting = {
      status,
      token,
      from: user.from ?? null,
      properties: message.properties,
    };
    const taking = watch.state === "judged" || watch.state === "taking";
    if (taking && token !== null && token === watch.from) {
      // The holder that we take it over from: it waits for our answer, and has
      // not taken the task back, for which it would use a new token.
      return;
    }
    if (
      taking && watch.stood && !watch.beaten && sighting.from !== watch.from
    ) {
      // A stranger: it sees that holder's status before its own, gives way, and
      // puts right what it has overwritten.
      return;
    }
    watch.last = {
      ...sighting,
      publication: {
        topic: this.#topics.status(taskId),
        payload: message.payload,
        qos: 1,
        retain: true,
        properties: message.properties,
      },
    };
    if (taking) watch.beaten = true;
    if (watch.state !== "held") return;
    if (sighting.from === watch.token) {
      watch.state = "gone";
      if (watch.onGone) watch.onGone(status.worker_id);
      else this.#onGone(taskId);
    } else {
      this.#log.debug("another worker's status on a task of this one", {
        task_id: taskId,
        worker_id: status.worker_id,
        state: status.state,
      });
      this.#insist(taskId, watch);
    }
  }

  /**
   * After a reconnect: where the broker has lost the session, subscribes again
   * and publishes again what stood there.
   */
  async reconnected(session: { present: boolean }): Promise<void> {
    if (session.present) return;
    for (const [taskId, watch] of this.#watches) {
      if (watch.state === "looking") continue;
      await this.#channel.subscribe(this.#topics.status(taskId), { qos: 1 });
      this.#insist(taskId, watch);
    }
  }

  /** From now on this process takes tasks under another name. */
  renew(instance: string): void {
    this.#instance = instance;
  }

  async #judge(
    taskId: string,
    watch: Watch,
    arrival: Arrival,
  ): Promise<Look> {
    await this.#subscribe(taskId);
    const seen = watch.last;
    watch.state = "judged";
    watch.beaten = false;
    const judgement = judge(seen, arrival, {
      workerId: this.#workerId,
      windowSeconds: this.#windowSeconds,
    });
    if (judgement !== "take") this.forget(taskId);
    else if (seen?.status.state === "queued") {
      // Its last holder is dead, or has offered it to us.
      watch.from = seen.token;
      watch.stood = seen.token !== null;
    } else watch.stood = watch.seenSeq >= 0;
    return { judgement, seen };
  }

  #seenOurs(taskId: string, watch: Watch, seq: number): void {
    if (watch.state === "taking") {
      // Decided here and not where the echo is awaited: the next message may
      // be handled before that goes on.
      watch.state = watch.beaten ? "gone" : "held";
      watch.echo?.resolve();
    } else if (watch.state === "held" && seq < watch.seenSeq) {
      // Somebody has put back an older one of ours.
      this.#insist(taskId, watch);
      return;
    }
    watch.seenSeq = seq;
  }

  #insist(taskId: string, watch: Watch): void {
    this.#assert(taskId, watch).catch((error) => this.#refused(taskId, error));
  }

  /**
   * Publishes our newest status once more, if the task is still ours when all
   * that was published before has come: after a time without a connection that
   * can be much, and somebody may have taken the task over in it.
   */
  async #assert(taskId: string, watch: Watch): Promise<void> {
    const isOurs = () =>
      watch.state !== "gone" && this.#watches.get(taskId) === watch;
    for (let hasCome = false; !hasCome;) {
      await this.#connected();
      if (!isOurs()) return;
      hasCome = await this.#channel.subscribe(this.#topics.status(taskId), {
        qos: 1,
        retained: false,
      }).then(() => true, (error) => {
        if ((error as Error).name !== "ConnectionLostError") throw error;
        return false;
      });
    }
    if (!isOurs() || !watch.newest) return;
    await this.#channel.publish({ ...watch.newest, replaceable: true });
  }

  #refused(taskId: string, error: unknown): void {
    this.#log.error("cannot publish a status", { task_id: taskId, error });
  }

  /**
   * Subscribes, and returns when the retained message, if there is one, has
   * come. The broker sends it after its SUBACK; the answer to a second
   * subscription, which asks for no retained message, comes after it.
   */
  async #subscribe(taskId: string): Promise<void> {
    const topic = this.#topics.status(taskId);
    for (;;) {
      await this.#connected();
      const watch = this.#watches.get(taskId)!;
      watch.last = null;
      try {
        // One after the other: two answers in a row make a broker that uses
        // Nagle's algorithm wait 40 ms for our TCP acknowledgement.
        await this.#channel.subscribe(topic, { qos: 1 });
        await this.#channel.subscribe(topic, { qos: 1, retained: false });
        return;
      } catch (error) {
        if ((error as Error).name !== "ConnectionLostError") throw error;
      }
    }
  }
}

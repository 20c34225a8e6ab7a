/**
 * This worker's own presence, and its right to its id.
 *
 * @module
 */
import type { Incoming, Outgoing } from "../messages/packets.ts";
import { firstWithin } from "../messages/encode.ts";
import {
  type ContentState,
  isConnected,
  type Presence,
  presenceSchema,
  readAs,
} from "../messages/presence.ts";
import type { TemplateOffer } from "../messages/template.ts";
import type { Topics } from "../messages/topics.ts";
import type { Channel } from "../tasks/ports.ts";

/** How long a worker has to answer that it uses an id, in milliseconds. */
const PROBE_MS = 2000;

/** The id is in use by a worker that is alive. */
export class IdInUseError extends Error {
  override name = "IdInUseError";

  constructor(workerId: string) {
    super(
      `the worker id "${workerId}" is in use by another worker of the group; ` +
        `give this one an id of its own with worker.worker_id`,
    );
  }
}

/** A connection under a client id of its own, to ask before one connects. */
export interface Enquiry {
  /** The retained message on a topic; null if there is none. */
  lookUp(
    topic: string,
    options: { sentinel: string },
  ): Promise<Incoming | null>;
  /** Publishes a question, and waits for an answer in time. */
  ask(
    question: Outgoing,
    answer: {
      topic: string;
      fits(message: Incoming): boolean;
      withinMs: number;
    },
  ): Promise<boolean>;
}

/**
 * Asks whether an id is free.
 *
 * @throws {IdInUseError} a live worker has it
 */
export async function enquire(
  enquiry: Enquiry,
  options: { topics: Topics; workerId: string },
): Promise<void> {
  const { topics, workerId } = options;
  const seen = await enquiry.lookUp(topics.presence(workerId), {
    sentinel: topics.sentinel(workerId),
  });
  const presence = seen && readAs(presenceSchema, seen.payload);
  if (isConnected(presence)) {
    const answered = await enquiry.ask({
      topic: topics.probe(workerId),
      payload: "",
      qos: 1,
    }, {
      topic: topics.presence(workerId),
      withinMs: PROBE_MS,
      // The will of a worker that has just died is no answer.
      fits: (message) => isConnected(readAs(presenceSchema, message.payload)),
    });
    if (answered) throw new IdInUseError(workerId);
  }
}

/** What a presence says beside the state. */
export type WorkerDescription = Pick<
  Presence,
  "slots" | "version" | "ansible_version" | "host"
>;

/** This worker's presence. */
export class Membership {
  readonly #publish: Channel["publish"];
  readonly #topics: Topics;
  readonly #workerId: string;
  readonly #description: WorkerDescription;
  readonly #templates: () => readonly TemplateOffer[];
  readonly #content: () => ContentState | null;
  readonly #startedAt = new Date().toISOString();
  #instance: string = crypto.randomUUID();
  /** Its names before: what it has said under them may still come. */
  readonly #former = new Set<string>();
  #state: "online" | "draining" | "offline" = "online";
  /** The group knows of this instance; what stood there before is older. */
  #announced = false;
  /** The group has given up on this instance. */
  #adopted = false;

  /** A new instance, which nobody knows of yet. */
  constructor(options: {
    publish: Channel["publish"];
    topics: Topics;
    workerId: string;
    description: WorkerDescription;
    /** What may be asked for here by name at this moment. */
    templates(): readonly TemplateOffer[];
    /** Where the playbooks stand; null where they do not come from git. */
    content(): ContentState | null;
  }) {
    this.#publish = options.publish;
    this.#topics = options.topics;
    this.#workerId = options.workerId;
    this.#description = options.description;
    this.#templates = options.templates;
    this.#content = options.content;
  }

  /** New with every process, and after an adoption. */
  get instance(): string {
    return this.#instance;
  }

  /** What the broker is to publish when this worker vanishes. */
  will(): string {
    return JSON.stringify(this.#presence("offline"));
  }

  /**
   * Publishes the presence; settles when it is acknowledged.
   *
   * @throws {ConnectionLostError} of "online", which is said with each connection
   */
  announce(
    state: "online" | "draining" | "offline" = this.#state,
  ): Promise<void> {
    this.#state = state;
    this.#announced = true;
    const presence = this.#presence(state);
    return this.#publish({
      topic: this.#topics.presence(this.#workerId),
      payload: JSON.stringify(presence),
      shorten: (bytes) =>
        firstWithin(bytes, [
          JSON.stringify({ ...presence, templates: undefined }),
        ]),
      qos: 1,
      retain: true,
      // With a new connection it is true only when all is put right again.
      fleeting: state === "online",
    });
  }

  /**
   * Takes note of a presence on this worker's own topic.
   *
   * @returns what it means: `adopted`, another worker takes our tasks over, or
   * has done so; `rival`, a worker that started earlier uses the id; `wrong`, it is
   * not as we would say it, and stands there until we say it again
   */
  receiveOwn(
    presence: Presence | null,
    { retained }: { retained: boolean },
  ): "adopted" | "rival" | "wrong" | null {
    const byAnother = presence !== null && presence.instance !== this.#instance;
    const adopted = presence?.adopted_by !== undefined;
    if (this.#announced && (adopted || (retained && byAnother))) {
      this.#adopted = true;
    }
    if (!presence) return null;
    if (this.#isRival(presence)) return "rival";
    if (this.#adopted) return "adopted";
    // What stood there when we subscribed is older than what we say then.
    if (retained) return null;
    if (byAnother) return "wrong";
    // Our own words, or our will, which a lost connection has set off.
    return presence.state === "offline" && this.#state !== "offline"
      ? "wrong"
      : null;
  }

  /**
   * Whether the group has given up on this worker, and it has not taken another
   * name since: what it holds may be somebody else's.
   */
  get isAdopted(): boolean {
    return this.#adopted;
  }

  /** From now on this process is another one, as far as the group can see. */
  renew(): string {
    this.#adopted = false;
    this.#former.add(this.#instance);
    return this.#instance = crypto.randomUUID();
  }

  /**
   * Of two that live, the one that has been here longer keeps the id. What was
   * said before we started may be a process's that is no more.
   */
  #isRival({ instance, started_at, ...presence }: Presence): boolean {
    const isAlive = presence.updated_at >= this.#startedAt &&
      presence.adopted_by === undefined &&
      isConnected(presence);
    const isOwn = instance === this.#instance || this.#former.has(instance);
    if (!isAlive || isOwn) return false;
    return started_at === this.#startedAt
      ? instance < this.#instance
      : started_at < this.#startedAt;
  }

  #presence(state: "online" | "draining" | "offline"): Presence {
    // Only while they can be had: the will has no room for them (3.1.3.3).
    const templates = state === "online" ? [...this.#templates()] : [];
    const content = state === "online" ? this.#content() : null;
    return {
      worker_id: this.#workerId,
      instance: this.#instance,
      state,
      ...this.#description,
      started_at: this.#startedAt,
      updated_at: new Date().toISOString(),
      ...(templates.length > 0 && { templates }),
      ...(content && { content }),
    };
  }
}

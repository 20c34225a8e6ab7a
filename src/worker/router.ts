/**
 * From the topic of a message to the part that it is for, and what is kept back
 * until the worker works.
 *
 * @module
 */
import type { Delivery, Incoming } from "../messages/packets.ts";
import { loadSchema, presenceSchema, readAs } from "../messages/presence.ts";
import type { Load, Presence } from "../messages/presence.ts";
import type { Topics } from "../messages/topics.ts";
import type { Log } from "../tasks/ports.ts";
import type { Lifecycle } from "./lifecycle.ts";

/** Who gets what, by the kind of its topic. */
export interface Handlers {
  /** A task request, on whichever topic. */
  request(
    delivery: Delivery,
    from: { topic: "tasks" | "inbox" | "everyone" },
  ): void;
  /** A status of a task. */
  status(taskId: string, message: Incoming): void;
  /** A cancel. */
  cancel(taskId: string, message: Incoming): void;
  /** A worker's presence; null if it was cleared, or cannot be read. */
  presence(
    workerId: string,
    presence: Presence | null,
    message: { retained: boolean },
  ): void;
  /** A worker's load; null if it was cleared, or cannot be read. */
  load(
    workerId: string,
    load: Load | null,
    message: { retained: boolean },
  ): void;
  /** Who has a lock. */
  lock(lock: string, message: Incoming): void;
  /** A record of a task that a worker has. */
  record(workerId: string, taskId: string, message: Incoming): void;
  /** Somebody asks for a look at the repository. */
  look(): void;
  /** A newcomer asks whether this worker's id is in use. */
  probe(): void;
}

/** Of so many topics that are not ours it is said. */
const MAX_SAID = 100;

/** What the router needs. */
export interface RouterOptions {
  topics: Topics;
  workerId: string;
  lifecycle: Lifecycle;
  handlers: Handlers;
  log: Log;
}

/** Gives each message to its handler. */
export class Router {
  readonly #options: RouterOptions;
  readonly #topics: Topics;
  readonly #lifecycle: Lifecycle;
  readonly #handlers: Handlers;
  /** What is kept back, in the order in which it came. */
  readonly #kept: Delivery[] = [];
  /** Topics of requests that are not ours, of which it was said. */
  readonly #said = new Set<string>();

  /** With nothing kept back. */
  constructor(options: RouterOptions) {
    this.#options = options;
    this.#topics = options.topics;
    this.#lifecycle = options.lifecycle;
    this.#handlers = options.handlers;
  }

  /** Gives the handlers what was kept back; the worker must be working. */
  release(): void {
    this.#kept.splice(0).forEach((delivery) => this.delivery(delivery));
  }

  /** A request, which is the broker's until it is answered. */
  delivery(delivery: Delivery): void {
    if (this.#lifecycle.keepsBack) this.#kept.push(delivery);
    // What comes to a worker that has stopped stays with the broker.
    else if (this.#lifecycle.phase !== "stopped") this.#request(delivery);
  }

  #request(delivery: Delivery): void {
    const { log, workerId } = this.#options;
    const topic = this.#topics.parse(delivery.topic);
    if (
      topic?.kind === "tasks" || topic?.kind === "everyone" ||
      topic?.kind === "inbox" && topic.workerId === workerId
    ) return this.#handlers.request(delivery, { topic: topic.kind });
    // Somebody else has subscribed for this session. It has to be answered, or
    // nothing that comes behind it could be [MQTT-4.6.0-3].
    delivery.answer();
    if (this.#said.has(delivery.topic) || this.#said.size === MAX_SAID) return;
    this.#said.add(delivery.topic);
    log.warn(
      `requests come on "${delivery.topic}", which is none of this worker's topics; they are left alone`,
    );
  }

  /** Everything else. */
  message(message: Incoming): void {
    const topic = this.#topics.parse(message.topic);
    switch (topic?.kind) {
      case "status":
        return this.#handlers.status(topic.taskId, message);
      case "cancel":
        return this.#handlers.cancel(topic.taskId, message);
      case "presence": {
        const presence = readAs(presenceSchema, message.payload);
        if (presence && presence.worker_id !== topic.workerId) return;
        return this.#handlers.presence(topic.workerId, presence, message);
      }
      case "load":
        return this.#handlers.load(
          topic.workerId,
          readAs(loadSchema, message.payload),
          message,
        );
      case "lock":
        return this.#handlers.lock(topic.lock, message);
      case "record":
        return this.#handlers.record(topic.workerId, topic.taskId, message);
      case "content":
        return this.#handlers.look();
      case "probe":
        return this.#handlers.probe();
    }
  }
}

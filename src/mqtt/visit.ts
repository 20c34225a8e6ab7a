/**
 * A short connection: to look something up before the worker has its own, or
 * under the client id of a worker that is gone, to see what it has left.
 *
 * @module
 */
import type { Broker } from "../config/broker.ts";
import type { Delivery, Incoming, Outgoing } from "../messages/packets.ts";
import { fulfilledWithin } from "../deadline.ts";
import { MqttConnection } from "./connection.ts";
import { Fence } from "./fence.ts";

/** No one subscribes to this; see `Visit.deliveries()`. */
const NOWHERE = "ansible-worker/nowhere";

/** Unanswered messages that the broker may send (3.1.2.11.3): all of them. */
const RECEIVE_MAXIMUM = 65_535;

/** What a visit is made with. */
export interface VisitOptions {
  clientId: string;
  /** 0: with a clean session. */
  sessionExpiry: number;
  /** Whether what comes is to be answered by `deliveries()`' caller. */
  takesDeliveries?: boolean;
}

/** A message that is waited for. */
export interface ExpectedMessage {
  topic: string;
  /** Whether a message on the topic is it. */
  fits(message: Incoming): boolean;
  withinMs: number;
}

/** A short connection. */
export class Visit implements AsyncDisposable {
  readonly #connection: MqttConnection;
  readonly #deliveries: Delivery[] = [];
  readonly #listeners = new Map<string, (message: Incoming) => void>();
  #present = false;
  #takenOver = false;

  private constructor(
    broker: Broker,
    options: VisitOptions,
  ) {
    this.#connection = new MqttConnection({
      broker,
      ...options,
      receiveMaximum: RECEIVE_MAXIMUM,
      reconnect: false,
      onConnect: ({ present }) => {
        this.#present = present;
        return Promise.resolve();
      },
      onTakenOver: () => this.#takenOver = true,
      onMessage: (message) => this.#listeners.get(message.topic)?.(message),
      ...(options.takesDeliveries &&
        {
          onDelivery: (delivery: Delivery) => this.#deliveries.push(delivery),
        }),
    });
  }

  /**
   * Connects, once.
   *
   * @param options.sessionExpiry 0: with a clean session
   * @throws {ConnectionLostError} there is no connection to be had
   * @throws {BrokerUnsuitableError} the broker lacks what the worker needs
   */
  static async open(
    broker: Broker,
    options: VisitOptions,
  ): Promise<Visit> {
    const visit = new Visit(broker, options);
    try {
      await visit.#connection.connect();
    } catch (error) {
      await visit[Symbol.asyncDispose]();
      throw error;
    }
    return visit;
  }

  /** Whether the broker had a session of this client id. */
  get present(): boolean {
    return this.#present;
  }

  /** Whether the broker has said that another client has taken it over. */
  get takenOver(): boolean {
    return this.#takenOver;
  }

  /**
   * The retained message on a topic; null if there is none, or none has come.
   *
   * @param options.sentinel a topic on which this connection may retain
   * something
   */
  async lookUp(
    topic: string,
    { sentinel }: { sentinel: string },
  ): Promise<Incoming | null> {
    let found: Incoming | null = null;
    const fence = new Fence({
      sentinel,
      subscribe: (topic) => this.#connection.subscribe(topic, { qos: 1 }),
      publish: (message) => this.#connection.publish(message),
      awaiting: (message) => this.#connection.awaiting(message),
    });
    this.#listeners.set(topic, (message) => found = message);
    this.#listeners.set(sentinel, (message) => fence.receive(message));
    await fence.prepare();
    await this.#connection.subscribe(topic, { qos: 0 });
    await fence.pass();
    await this.#connection.unsubscribe(topic);
    this.#listeners.delete(topic);
    this.#listeners.delete(sentinel);
    return found;
  }

  /**
   * Publishes a question on one topic, and waits for a new message on another.
   *
   * @returns whether a message that fits came in time
   */
  async ask(
    question: Outgoing,
    answer: ExpectedMessage,
  ): Promise<boolean> {
    await this.#connection.subscribe(answer.topic, { qos: 1, retained: false });
    return await this.#comes(answer, () => this.#connection.publish(question));
  }

  /**
   * Subscribes to a topic, again or not, for its retained message (3.8.4-4).
   *
   * @returns whether it came in time, and fits
   */
  brings(retained: ExpectedMessage): Promise<boolean> {
    return this.#comes(
      retained,
      () => this.#connection.subscribe(retained.topic, { qos: 1 }),
    );
  }

  async #comes(
    { fits, topic, withinMs }: ExpectedMessage,
    begin: () => Promise<void>,
  ): Promise<boolean> {
    const { promise, reject, resolve } = Promise.withResolvers<void>();
    this.#listeners.set(topic, (message) => {
      if (fits(message)) resolve();
    });
    const begun = begin();
    begun.catch(reject);
    const came = await fulfilledWithin(withinMs, promise);
    this.#listeners.delete(topic);
    await begun;
    return came;
  }

  /** Ends a subscription of the session. */
  unsubscribe(topic: string): Promise<void> {
    return this.#connection.unsubscribe(topic);
  }

  /**
   * What has been delivered since the last call: everything that the session
   * held, since the broker delivers before it answers what was asked after.
   */
  async deliveries(): Promise<Delivery[]> {
    await this.#connection.unsubscribe(NOWHERE);
    return this.#deliveries.splice(0);
  }

  /** Closes it. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.#connection[Symbol.asyncDispose]();
  }
}

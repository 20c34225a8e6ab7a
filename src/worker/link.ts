/**
 * A worker's two connections as one: their sessions and subscriptions, the will,
 * and the channel on which everybody here publishes and subscribes.
 *
 * The **intake** receives requests and nothing else, so that what waits there
 * unanswered holds up nothing. The **control** connection does all the rest and
 * has the will.
 *
 * @module
 */
import { fulfilledWithin } from "../deadline.ts";
import type { LoadChannel, Look } from "../group/load_watch.ts";
import {
  ConnectionLostError,
  type Delivery,
  type Incoming,
  type Outgoing,
} from "../messages/packets.ts";
import type { Topics } from "../messages/topics.ts";
import { type Connection, CONNECTIONS } from "../metrics/readings.ts";
import {
  type Broker,
  BrokerUnsuitableError,
  type BulkSource,
  Fence,
  Lateness,
  Lookups,
  MqttConnection,
  Visit,
} from "../mqtt/mod.ts";
import type { Log } from "../tasks/ports.ts";
import type { RecordChannel } from "../tasks/records.ts";
import type { Lifecycle } from "./lifecycle.ts";

/**
 * Requests that the broker may send unanswered (3.1.2.11.3): as many as can be
 * said, so that no broker has a reason to drop what is beyond.
 */
const RECEIVE_MAXIMUM = 65_535;

/** What the link tells whoever joins the parts. */
export interface LinkEvents {
  /** The control connection is back, and its subscriptions stand. */
  onControl(session: { present: boolean }): Promise<void>;
  /** The control connection is lost. */
  onControlLost(): void;
  /** A connection that was lost is ready again. */
  onReconnected(which: Connection): void;
  /** A connection could not be made, or is lost: what is to be said of it. */
  onLost(problem: string): void;
  /** A request, which is the broker's until it is answered. */
  onDelivery(delivery: Delivery): void;
  /** Any other message. */
  onMessage(message: Incoming): void;
}

/** What the link needs. */
export interface LinkOptions extends LinkEvents {
  broker: Broker;
  topics: Topics;
  workerId: string;
  lifecycle: Lifecycle;
  log: Log;
  /** Seconds that the broker keeps the sessions without us. */
  sessionExpiry: number;
  /** What the broker publishes as this worker's presence when it vanishes. */
  will: { payload: string; delaySeconds: number };
  /** Whether it is to hear when somebody asks for a look at repositories. */
  looks: boolean;
  /** How often the broker is asked at once when it is measured how late it is. */
  looksAtOnce: number;
  /** Has messages to publish when there is nothing else to be sent. */
  bulk: BulkSource;
}

/** Both connections. */
export class Link implements RecordChannel, LoadChannel, AsyncDisposable {
  readonly #options: LinkOptions;
  readonly #control: MqttConnection;
  readonly #intake: MqttConnection;
  readonly #fence: Fence;
  readonly #lateness: Lateness;
  readonly #lookups = new Lookups();
  readonly #readyBefore = new Set<Connection>();
  #doubts = 0;
  #whenReady: PromiseWithResolvers<void> | null = null;

  /** Prepares both; `connect()` connects. */
  constructor(options: LinkOptions) {
    this.#options = options;
    const { broker, lifecycle, log, sessionExpiry, topics, workerId } = options;
    const { intake, control } = this.#clientIds(workerId);
    this.#control = new MqttConnection({
      broker,
      clientId: control,
      sessionExpiry,
      will: { topic: topics.presence(workerId), ...options.will },
      bulk: options.bulk,
      onConnect: async (session) => {
        lifecycle.move("control");
        await this.#prepareControl();
        await options.onControl(session);
      },
      onReady: () => this.#onReady("control"),
      onLost: (reason) => this.#onLost("control", reason),
      onMessage: (message) => {
        if (this.#fence.receive(message)) return;
        if (this.#lateness.receive(message)) return;
        if (message.retained) {
          this.#fence.wasLate(this.#lookups.latenessOf(message.topic));
        }
        options.onMessage(message);
      },
    });
    this.#fence = new Fence({
      sentinel: topics.sentinel(workerId),
      subscribe: (topic) => this.#control.subscribe(topic, { qos: 1 }),
      publish: (message) => this.#control.publish(message),
      awaiting: (message) => this.#control.awaiting(message),
    });
    this.#lateness = new Lateness({
      times: options.looksAtOnce,
      topic: (name) => topics.record(workerId, name),
      publish: (message) =>
        this.#control.publish({ ...message, fleeting: true }),
      subscribe: (filter) => this.#control.subscribe(filter, { qos: 0 }),
      unsubscribe: (filter) => this.#control.unsubscribe(filter),
      fence: () => this.#fence.pass(),
    });
    this.#intake = new MqttConnection({
      broker,
      clientId: intake,
      sessionExpiry,
      receiveMaximum: RECEIVE_MAXIMUM,
      onConnect: async ({ expirySeconds }) => {
        this.#saySessionExpiry(expirySeconds);
        await this.#subscribeIntake();
      },
      onReady: () => this.#onReady("intake"),
      onLost: (reason) => this.#onLost("intake", reason),
      onDelivery: (delivery) => options.onDelivery(delivery),
      onTakenOver: () =>
        log.warn("another client has taken over this worker's session"),
    });
  }

  /**
   * Connects, and goes on trying.
   *
   * @returns settles when both are ready for the first time
   * @throws {BrokerUnsuitableError} the broker lacks what the worker needs
   */
  async connect(): Promise<void> {
    await Promise.all([this.#control.connect(), this.#intake.connect()]);
  }

  /** Which of the two are ready. */
  get ready(): Record<Connection, boolean> {
    return { control: this.#control.ready, intake: this.#intake.ready };
  }

  /** Settles when both are ready. */
  async untilReady(): Promise<void> {
    while (!this.#isReady) {
      this.#whenReady ??= Promise.withResolvers<void>();
      await this.#whenReady.promise;
    }
  }

  get #isReady(): boolean {
    return CONNECTIONS.every((which) => this.ready[which]);
  }

  /** Requests that the broker still owns. */
  get unanswered(): number {
    return this.#intake.unanswered;
  }

  /** Topics on which something is still to be acknowledged. */
  get unacknowledged(): number {
    return this.#control.unacknowledged;
  }

  /** See `RecordChannel`. */
  get patienceMs(): number {
    return this.#fence.patienceMs;
  }

  /** See `Channel`. */
  async lookUp(
    topic: string,
    options: { qos: 0 | 1 } = { qos: 1 },
  ): Promise<void> {
    // One after the other: two answers in a row make a broker that uses Nagle's
    // algorithm wait 40 ms for our TCP acknowledgement.
    await this.#lookups.during(topic, async () => {
      await this.#control.subscribe(topic, options);
      await this.#fence.pass();
    });
  }

  /** See `Channel`. */
  unsubscribe(topic: string): Promise<void> {
    return this.#control.unsubscribe(topic);
  }

  /** See `LoadChannel`. */
  listen(topic: string): Promise<void> {
    // mosquitto 2.0 sends them for a shared subscription too, against 4.8.2.
    return this.#control.subscribe(topic, { qos: 0, retained: false });
  }

  /** See `LoadChannel`. */
  async glance(topics: string[], { all, withinMs }: Look): Promise<void> {
    const work = async () => {
      const enough = Promise.withResolvers<void>();
      const come = this.#control.awaiting(Promise.race([all, enough.promise]));
      try {
        await this.#control.subscribe(topics, { qos: 0 });
        await fulfilledWithin(withinMs, come);
      } finally {
        enough.resolve();
      }
      await this.#control.unsubscribe(topics);
    };
    // What comes meanwhile is late for nobody.
    await topics.reduce(
      (inner, topic) => () => this.#lookups.during(topic, inner),
      work,
    )();
  }

  /** See `Channel`. */
  publish(message: Outgoing): Promise<void> {
    return this.#control.publish(message);
  }

  /** There is bulk to be published again. */
  bulkReady(): void {
    this.#control.bulkReady();
  }

  /** Settles when the broker has acknowledged everything that was published. */
  allAcknowledged(): Promise<void> {
    return this.#control.allAcknowledged();
  }

  /** Shares in the group's new requests, if there is a connection. */
  async takeRequests(): Promise<void> {
    if (!this.#intake.ready) return;
    await this.#subscribeTasks();
  }

  /** Leaves the group's new requests to the others. */
  leaveRequests(): Promise<void> {
    return this.#intake.unsubscribe(this.#options.topics.sharedTasks);
  }

  /**
   * Does what has to be through before anybody counts on what this worker holds:
   * until then its link is no better than `control`.
   */
  async whileInDoubt(work: () => Promise<void>): Promise<void> {
    this.#doubts++;
    if (this.#options.lifecycle.link === "both") {
      this.#options.lifecycle.move("control");
    }
    try {
      await work();
    } finally {
      this.#doubts--;
      this.#settle();
    }
  }

  /** Connects as the intake of a worker that is gone. */
  openIntakeOf(workerId: string): Promise<Visit> {
    return Visit.open(this.#options.broker, {
      clientId: this.#clientIds(workerId).intake,
      sessionExpiry: this.#options.sessionExpiry,
      takesDeliveries: true,
    });
  }

  /** Ends the control session of a worker that is gone. */
  async endControlSessionOf(workerId: string): Promise<void> {
    await using _visit = await Visit.open(this.#options.broker, {
      clientId: this.#clientIds(workerId).control,
      sessionExpiry: 0,
    });
  }

  /** Says goodbye to the broker; the sessions stay for as long as they may. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([
      this.#control[Symbol.asyncDispose](),
      this.#intake[Symbol.asyncDispose](),
    ]);
  }

  #clientIds(workerId: string): Record<Connection, string> {
    // No level of a topic has a slash in it, so no two workers share one.
    const intake = `ansible-worker/${this.#options.topics.group}/${workerId}`;
    return { intake, control: `${intake}/control` };
  }

  async #prepareControl(): Promise<void> {
    const { log, topics, workerId } = this.#options;
    await Promise.all([
      this.#fence.prepare(),
      // A cancel that somebody has retained is for nobody.
      this.#control.subscribe(topics.allCancels, { qos: 1, retained: false }),
      ...(this.#options.looks ? [this.#subscribeToLooks()] : []),
      this.#control.subscribe(topics.probe(workerId), {
        qos: 1,
        retained: false,
      }),
    ]);
    if (!this.#readyBefore.has("control")) {
      this.#fence.patienceMs = 0;
      const patience = this.#fence.patienceMs = await this.#lateness.measure();
      if (patience > 0) {
        log.info(
          `the broker sends what is retained late; whoever looks for it waits ${
            patience.toFixed(0)
          } ms`,
        );
      }
    }
    await this.lookUp(topics.allPresences);
  }

  /** Without it a worker looks as often as it does by itself. */
  async #subscribeToLooks(): Promise<void> {
    const { log, topics } = this.#options;
    try {
      await this.#control.subscribe(topics.content, {
        qos: 1,
        retained: false,
      });
    } catch (error) {
      if (!(error instanceof BrokerUnsuitableError)) throw error;
      log.warn(`nobody can have this worker look at once: ${error.message}`);
    }
  }

  /** Says at the start what it means if the sessions are kept for less long. */
  #saySessionExpiry(seconds: number): void {
    const { log, sessionExpiry } = this.#options;
    if (seconds >= sessionExpiry || this.#readyBefore.has("intake")) return;
    const kept = seconds === 0
      ? "does not keep this worker's sessions"
      : `keeps this worker's sessions for ${seconds} s only`;
    log.warn(
      `the broker ${kept} (mqtt.session_expiry: ${sessionExpiry}); what is published while no worker of the group is connected${
        seconds === 0 ? "" : " for longer"
      } is lost, but not what was accepted`,
    );
  }

  async #subscribeIntake(): Promise<void> {
    const { lifecycle, topics, workerId } = this.#options;
    // What is retained on an inbox would come again with every connect.
    await this.#intake.subscribe(topics.inbox(workerId), {
      qos: 2,
      retained: false,
      asPublished: true,
    });
    await this.#intake.subscribe(topics.everyone, {
      qos: 2,
      retained: false,
      asPublished: true,
    });
    const { phase } = lifecycle;
    if (phase === "starting" || phase === "working") {
      await this.#subscribeTasks();
    }
  }

  #subscribeTasks(): Promise<void> {
    return this.#intake.subscribe(this.#options.topics.sharedTasks, {
      qos: 2,
      asPublished: true,
    });
  }

  #onReady(which: Connection): void {
    if (this.#readyBefore.has(which)) this.#options.onReconnected(which);
    this.#readyBefore.add(which);
    this.#options.log.info(`connected to the broker at ${this.#at(which)}`);
    this.#settle();
  }

  #onLost(which: Connection, reason: string): void {
    const { lifecycle, log } = this.#options;
    if (which === "control") {
      lifecycle.move("down");
      this.#options.onControlLost();
      this.#lookups.lost();
      this.#fence.lost(new ConnectionLostError("the connection was lost"));
    }
    if (which === "intake" && lifecycle.link === "both") {
      lifecycle.move("control");
    }
    const problem = `no connection to the broker at ${
      this.#at(which)
    }: ${reason}; trying again`;
    log.warn(problem);
    this.#options.onLost(problem);
  }

  #settle(): void {
    if (!this.#isReady) return;
    this.#whenReady?.resolve();
    this.#whenReady = null;
    if (this.#doubts === 0) this.#options.lifecycle.move("both");
  }

  #at(which: Connection): string {
    const { host, port } = this.#options.broker;
    return `${host}:${port} (${which})`;
  }
}

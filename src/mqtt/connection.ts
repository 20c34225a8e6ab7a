/**
 * One connection to the broker, with a session that outlives it.
 *
 * - **connecting**: from `connect()` on, and again after each loss: attempts
 *   follow one another with a growing wait, for ever.
 * - **connected**: CONNACK has come; `onConnect` subscribes to what is needed.
 * - **ready**: `onConnect` is through; `ready` is true until the connection is
 *   lost.
 * - **closed**: it was disposed of; nothing happens any more.
 *
 * Where deliveries are wanted, each message is its owner's to answer (see
 * `deliveries.ts`): the library would answer on arrival, so it is taken out of
 * the library's hands before its own handler sees it.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import type { IClientOptions, MqttClient } from "mqtt";
import type { IConnackPacket, Packet } from "mqtt-packet";
import { writeToStream } from "mqtt-packet";
import { fulfilledWithin } from "../deadline.ts";
import {
  ConnectionClosedError,
  ConnectionLostError,
  ConnectionRefusedError,
  type Delivery,
  type Incoming,
  type Outgoing,
} from "../messages/packets.ts";
import type { Broker } from "../config/broker.ts";
import { backoff } from "./broker.ts";
import { clientOf, streamsTo } from "./client.ts";
import { Deliveries } from "./deliveries.ts";
import {
  grantedBy,
  isCheck,
  packetProperties,
  payloadOf,
  propertiesOf,
  sizeOf,
} from "./message.ts";
import { Nudge } from "./nudge.ts";
import { missingFeature, offerOf } from "./offer.ts";
import { type BulkSource, Outbox, PublishError } from "./outbox.ts";
import { Received } from "./received.ts";
import { closedUnanswered, errorText, reasonText } from "./refused.ts";
import { type Session, sessionOptions } from "./session.ts";
import { BrokerUnsuitableError } from "./unsuitable.ts";

/** Nobody is subscribed to the topic of what was published (MQTT 5, 2.4). */
const NO_MATCHING_SUBSCRIBERS = 0x10;

/** At most so many publications are under way, whatever the broker allows. */
const MAX_UNDER_WAY = 100;

/** How long an attempt to connect may take, in milliseconds. */
const CONNECT_TIMEOUT_MS = 10_000;

/** How long saying goodbye may take, in milliseconds. */
const GOODBYE_MS = 1000;

/** A session that is connected. */
export interface ConnectedSession {
  /** Whether the broker had it already. */
  present: boolean;
  /** Seconds that the broker will keep it without us, as far as it says. */
  expirySeconds: number;
}

/** What the connection tells its owner. */
export interface ConnectionEvents {
  /**
   * On every connect, before `ready`: the place to subscribe. If it throws, the
   * connection is given up and tried again.
   */
  onConnect(session: ConnectedSession): Promise<void>;
  /** It has just become `ready`. */
  onReady?(): void;
  /** The connection, or an attempt, is lost; `reason` is a sentence's end. */
  onLost?(reason: string): void;
  /** A message, if `onDelivery` is left out. */
  onMessage?(message: Incoming): void;
  /** Set: every message is one, which was not here before. */
  onDelivery?(delivery: Delivery): void;
  /** The broker says that another client has taken this session over. */
  onTakenOver?(): void;
}

/** What a connection needs. */
export interface ConnectionOptions extends ConnectionEvents, Session {
  broker: Broker;
  /** Has messages to publish when there is nothing else to be sent. */
  bulk?: BulkSource;
  /** Whether a lost connection is tried again; true unless said otherwise. */
  reconnect?: boolean;
}

/** One connection to the broker. */
export class MqttConnection implements AsyncDisposable {
  readonly #options: ConnectionOptions;
  readonly #deliveries = new Deliveries((qos, id) => this.#answer(qos, id));
  readonly #outbox: Outbox;
  #client: MqttClient | null = null;
  #ready = false;
  #closed = false;
  #attempt = 0;
  /** Why it is lost, if somebody has said so. */
  #reason: string | null = null;
  /** What has come on this connection and was not read yet. */
  #received = new Received();
  /** Whether the broker has refused this connection. */
  #refused = false;
  /** Why it is over, where it is not tried again. */
  #over: Error | null = null;
  /** Whether the broker has ever said anything. */
  #answered = false;
  #maximumPacketSize = Infinity;
  #maximumQos = 2;
  /** Identifiers of publications that are given up with the connection. */
  readonly #fleeting = new Set<number>();
  /** Identifiers of publications of which the broker has said that nobody is there. */
  readonly #unmatched = new Set<number>();
  readonly #nudge = new Nudge(() => {
    if (this.#client?.connected) this.#client.sendPing();
  });

  constructor(options: ConnectionOptions) {
    this.#options = options;
    this.#outbox = new Outbox(
      (message) => this.#send(message),
      options.bulk,
    );
  }

  /** Whether it is connected and subscribed. */
  get ready(): boolean {
    return this.#ready;
  }

  /** Deliveries that the broker still owns. */
  get unanswered(): number {
    return this.#deliveries.size;
  }

  /** Topics on which something is still to be acknowledged. */
  get unacknowledged(): number {
    return this.#outbox.size;
  }

  /**
   * Connects, and goes on trying.
   *
   * @returns settles when it is ready for the first time
   * @throws {BrokerUnsuitableError} the broker answered, and lacks what the
   * worker cannot do without
   * @throws {ConnectionLostError} with `reconnect: false`, if it fails
   */
  async connect(): Promise<void> {
    const first = Promise.withResolvers<void>();
    const { broker } = this.#options;
    const streams = streamsTo(broker);
    const openStream = streams instanceof Promise ? await streams : streams;
    if (this.#closed) return first.promise;
    const options: IClientOptions = {
      ...sessionOptions(this.#options),
      reconnectOnConnackError: true,
      connectTimeout: CONNECT_TIMEOUT_MS,
      reconnectPeriod: this.#options.reconnect === false
        ? 0
        : backoff(broker, 0),
    };
    const client = clientOf({ broker, openStream }, options);
    this.#client = client;
    this.#listen(client);
    client.on("packetsend", ({ cmd }) => {
      if (cmd === "connect") this.#listen(client);
    });
    client.on("packetreceive", (packet) => this.#intercept(packet));
    client.on("message", (topic, _payload, packet) => {
      if (isCheck(packet)) return;
      this.#options.onMessage?.({
        topic,
        payload: payloadOf(packet),
        retained: packet.retain,
        properties: propertiesOf(packet),
      });
    });
    client.on("connect", (connack) => {
      const { stream } = client;
      this.#connected(client, connack).then(
        () => first.resolve(),
        (error) => {
          if (error instanceof BrokerUnsuitableError) first.reject(error);
          // It may be another connection by now.
          if (client.stream !== stream) return;
          // Nothing gets better by trying the same broker again at once, but
          // only the first attempt may stop the program.
          this.#reason = error.message;
          stream.destroy();
        },
      );
    });
    client.on("disconnect", (packet) => {
      // 0x8E, session taken over (MQTT 5, 3.14.2.1).
      if (packet.reasonCode === 0x8e) this.#options.onTakenOver?.();
      this.#reason = `the broker said: ${
        packet.properties?.reasonString ?? reasonText(packet.reasonCode ?? 0)
      }`;
    });
    client.on("error", (error) => {
      const fault = this.#faultIn(error);
      if (fault !== null) {
        const unsuitable = new BrokerUnsuitableError(
          `the broker at ${this.#at} ${fault}`,
        );
        if (this.#options.reconnect === false) this.#over = unsuitable;
        first.reject(unsuitable);
      }
      this.#reason = fault !== null ? `the broker ${fault}` : errorText(error, {
        broker,
        answered: this.#answered,
        refused: this.#refused,
      });
      // With a packet that it cannot read the library goes on [MQTT-4.13.1-1].
      client.stream?.destroy();
    });
    // The library reads `reconnectPeriod` in its own `close` handler, so the
    // next wait has to be there before that one runs.
    client.prependListener("close", () => {
      if (this.#options.reconnect !== false) {
        client.options.reconnectPeriod = backoff(broker, this.#attempt++);
      }
      this.#ready = false;
      for (const id of [...this.#fleeting]) client.removeOutgoingMessage(id);
      this.#fleeting.clear();
      this.#outbox.close();
      this.#deliveries.disconnected();
      if (this.#closed) return;
      const reason = this.#reason ??
        (this.#answered
          ? "the connection was closed"
          : closedUnanswered(broker));
      this.#reason = null;
      this.#options.onLost?.(reason);
      if (this.#options.reconnect === false) {
        this.#over ??= this.#refused
          ? new ConnectionRefusedError(reason)
          : new ConnectionLostError(reason);
        first.reject(this.#over);
      }
    });
    return first.promise;
  }

  /**
   * Subscribes, at the QoS given.
   *
   * @param options.retained false: the broker sends no retained message for
   * this subscription (retain handling 2, MQTT 5, 3.8.3.1)
   * @param options.asPublished messages say whether their senders asked for
   * them to be retained (3.8.3.1)
   * @throws {BrokerUnsuitableError} the broker refused the subscription
   * @throws {ConnectionLostError} there is no connection, or it was lost
   * @throws {Error} it was ended
   */
  subscribe(
    topic: string | string[],
    options: { qos: 0 | 1 | 2; retained?: boolean; asPublished?: boolean },
  ): Promise<void> {
    return this.#ask(
      `subscribe to "${topic}"`,
      (client, done) =>
        client.subscribe(topic, {
          qos: options.qos,
          rh: options.retained === false ? 2 : 0,
          rap: options.asPublished ?? false,
        }, (error, _granted, suback) => {
          const code = grantedBy(suback);
          if (code === null || code < 0x80) done(error);
          else {
            done(
              new BrokerUnsuitableError(
                `the broker at ${this.#at} refuses the subscription to "${topic}": ${
                  reasonText(code)
                }`,
                { code },
              ),
            );
          }
        }),
    );
  }

  /**
   * Ends a subscription.
   *
   * @throws {ConnectionLostError} there is no connection, or it was lost
   */
  unsubscribe(topic: string | string[]): Promise<void> {
    return this.#ask(
      `unsubscribe from "${topic}"`,
      (client, done) => client.unsubscribe(topic, (error) => done(error)),
    );
  }

  /**
   * Publishes a message, now or when the connection is back.
   *
   * @returns settles when the broker has acknowledged it (PUBACK or PUBCOMP)
   * @throws {PublishError} the broker refused it
   */
  publish(message: Outgoing): Promise<void> {
    // What is not tried again is given up with its connection.
    const fleeting = this.#options.reconnect === false || message.fleeting;
    return this.#unlessOver(
      this.#outbox.put(fleeting ? { ...message, fleeting } : message),
    );
  }

  /** The source of bulk messages has something again. */
  bulkReady(): void {
    this.#outbox.bulkReady();
  }

  /** Has the broker not hold back a message that is to come (see `nudge.ts`). */
  awaiting<T>(message: Promise<T>): Promise<T> {
    return this.#nudge.awaiting(message);
  }

  /**
   * Settles when the broker has answered everything that was published by
   * `publish()`.
   */
  allAcknowledged(): Promise<void> {
    return this.#outbox.idle();
  }

  /**
   * Says goodbye to the broker and closes; the session stays for as long as its
   * expiry says. Safe when called twice, or while there is no connection.
   */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#ready = false;
    const client = this.#client;
    if (!client) return;
    // `endAsync()` waits for outstanding acknowledgements, which may never come.
    await fulfilledWithin(GOODBYE_MS, client.endAsync(!client.connected));
    client.stream?.destroy();
    client.removeAllListeners("close");
  }

  get #at(): string {
    const { host, port } = this.#options.broker;
    return `${host}:${port}`;
  }

  async #connected(
    client: MqttClient,
    connack: IConnackPacket,
  ): Promise<void> {
    const offer = offerOf(connack);
    const { clientId, sessionExpiry } = this.#options;
    const lacks = missingFeature(offer);
    if (lacks) {
      throw new BrokerUnsuitableError(
        `the broker at ${this.#at} offers no ${lacks}`,
      );
    }
    if (offer.clientId !== undefined && offer.clientId !== clientId) {
      throw new BrokerUnsuitableError(
        `the broker at ${this.#at} gives the client "${clientId}" another client id, "${offer.clientId}"`,
      );
    }
    // Small packets that wait for each other's TCP acknowledgements would add
    // 40 ms to every exchange.
    const { stream } = client;
    (stream as { setNoDelay?(on: boolean): void }).setNoDelay?.(true);
    this.#maximumPacketSize = offer.maximumPacketSize ?? Infinity;
    this.#maximumQos = offer.maximumQos;
    this.#outbox.open(Math.min(offer.receiveMaximum, MAX_UNDER_WAY));
    await this.#options.onConnect({
      present: offer.sessionPresent,
      expirySeconds: offer.sessionExpiry ?? sessionExpiry,
    });
    if (!client.connected || client.stream !== stream) {
      throw new ConnectionLostError("the connection was lost again");
    }
    this.#attempt = 0;
    this.#ready = true;
    this.#options.onReady?.();
  }

  /** Listens to a new connection. */
  #listen({ stream }: MqttClient): void {
    const received = new Received();
    this.#received = received;
    this.#refused = false;
    // Before the library reads what has come.
    stream.prependListener("data", (piece) => received.take(piece));
  }

  /**
   * What the library has found wrong, if it is something with which the broker
   * cannot be served.
   */
  #faultIn(error: Error): string | null {
    const unreadable = this.#received.unreadable();
    if (unreadable !== null) return `has sent ${unreadable}`;
    const { code } = error as { code?: unknown };
    // 0x84 and, from brokers that answer in the older form, 1.
    return this.#refused && (code === 0x84 || code === 1)
      ? "does not speak MQTT 5"
      : null;
  }

  /** What an answer is, or why the connection is over. */
  async #unlessOver<T>(answer: Promise<T>): Promise<T> {
    try {
      return await answer;
    } catch (error) {
      if (!(error instanceof ConnectionLostError)) throw error;
      throw this.#over ?? error;
    }
  }

  #intercept(packet: Packet): void {
    this.#answered = true;
    this.#received.told();
    this.#nudge.received(packet);
    const { onDelivery } = this.#options;
    if (packet.cmd === "publish" && onDelivery) {
      const publish = { ...packet };
      // A command that the library does not know is passed over by it, so that
      // no answer goes out before we say so.
      (packet as { cmd: string }).cmd = "taken";
      const delivery = this.#deliveries.receive(publish);
      if (isCheck(publish)) delivery?.answer();
      else if (delivery) onDelivery(delivery);
    } else if (
      (packet.cmd === "puback" || packet.cmd === "pubrec") &&
      packet.reasonCode === NO_MATCHING_SUBSCRIBERS
    ) {
      this.#unmatched.add(packet.messageId!);
    } else if (packet.cmd === "connack") {
      this.#refused = (packet.reasonCode ?? 0) > 0;
      // Here and not in `#connected`, which runs when the first deliveries may
      // have come already.
      this.#deliveries.connected({ present: packet.sessionPresent });
    }
  }

  #answer(qos: 1 | 2, messageId: number): void {
    const client = this.#client;
    if (!client?.connected) return;
    writeToStream(
      { cmd: qos === 1 ? "puback" : "pubrec", messageId, reasonCode: 0 },
      client.stream,
      { protocolVersion: 5 },
    );
  }

  #send(message: Outgoing): Promise<void> {
    const size = sizeOf(message);
    let { payload } = message;
    if (size > this.#maximumPacketSize) {
      const room = Buffer.byteLength(payload) - size + this.#maximumPacketSize;
      const shortened = message.shorten?.(room) ?? null;
      if (shortened === null) {
        return Promise.reject(
          new PublishError(message.topic, 0x95, reasonText(0x95)),
        );
      }
      payload = shortened;
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const client = this.#client!;
    client.publish(
      message.topic,
      typeof payload === "string" ? payload : Buffer.from(payload),
      {
        // [MQTT-3.2.2-11]
        qos: Math.min(message.qos, this.#maximumQos) as 1 | 2,
        retain: message.retain ?? false,
        properties: packetProperties(message.properties ?? {}),
      },
      (error, packet) => {
        const code = (error as { code?: unknown } | null | undefined)?.code;
        const id = packet?.messageId;
        if (id !== undefined) this.#fleeting.delete(id);
        if (id !== undefined && this.#unmatched.delete(id)) {
          message.onNobody?.();
        }
        if (!error) resolve();
        else if (typeof code === "number") {
          reject(new PublishError(message.topic, code, reasonText(code)));
        } else {
          reject(
            message.fleeting
              ? new ConnectionLostError("the connection was lost", {
                cause: error,
              })
              : error,
          );
        }
      },
    );
    if (message.fleeting) this.#fleeting.add(client.getLastMessageId());
    return this.#nudge.awaiting(promise);
  }

  #ask(
    what: string,
    send: (
      client: MqttClient,
      done: (error?: Error | null) => void,
    ) => unknown,
  ): Promise<void> {
    const client = this.#client;
    const lost = (cause?: unknown) =>
      new ConnectionLostError(`Cannot ${what}: there is no connection`, {
        cause,
      });
    // Not one of those after which one tries again.
    if (this.#closed) {
      return Promise.reject(
        new ConnectionClosedError(
          `Cannot ${what}: the connection was closed here`,
        ),
      );
    }
    if (!client?.connected) return this.#unlessOver(Promise.reject(lost()));
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    send(client, (error) => {
      if (!error) resolve();
      else if (error instanceof BrokerUnsuitableError) reject(error);
      else reject(lost(error));
    });
    return this.#unlessOver(this.#nudge.awaiting(promise));
  }
}

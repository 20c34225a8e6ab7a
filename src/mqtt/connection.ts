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
 * QoS 2 messages are held (see `held_deliveries.ts`).
 *
 * @module
 */
import { Buffer } from "node:buffer";
import mqtt from "mqtt";
import type { IClientOptions, MqttClient } from "mqtt";
import type { IConnackPacket, Packet } from "mqtt-packet";
import { writeToStream } from "mqtt-packet";
import { fulfilledWithin } from "../deadline.ts";
import {
  ConnectionLostError,
  type Delivery,
  type Incoming,
  type Outgoing,
} from "../messages/packets.ts";
import type { Broker } from "../config/broker.ts";
import { backoff, brokerOptions } from "./broker.ts";
import { HeldDeliveries } from "./held_deliveries.ts";
import {
  fitting,
  isCheck,
  packetProperties,
  payloadOf,
  propertiesOf,
} from "./message.ts";
import { Nudge } from "./nudge.ts";
import { missingFeature, offerOf } from "./offer.ts";
import { type BulkSource, Outbox, PublishError } from "./outbox.ts";
import { closedUnanswered, errorText, reasonText } from "./refused.ts";
import { type Session, sessionOptions } from "./session.ts";

/** Nobody is subscribed to the topic of what was published (MQTT 5, 2.4). */
const NO_MATCHING_SUBSCRIBERS = 0x10;

/** At most so many publications are under way, whatever the broker allows. */
const MAX_UNDER_WAY = 100;

/** How long an attempt to connect may take, in milliseconds. */
const CONNECT_TIMEOUT_MS = 10_000;

/** How long saying goodbye may take, in milliseconds. */
const GOODBYE_MS = 1000;

/** The broker cannot serve this worker; the message says what is missing. */
export class BrokerUnsuitableError extends Error {
  override name = "BrokerUnsuitableError";
}

/** What the connection tells its owner. */
export interface ConnectionEvents {
  /**
   * On every connect, before `ready`: the place to subscribe. If it throws, the
   * connection is given up and tried again.
   */
  onConnect(session: { present: boolean }): Promise<void>;
  /** It has just become `ready`. */
  onReady?(): void;
  /** The connection, or an attempt, is lost; `reason` is a sentence's end. */
  onLost?(reason: string): void;
  /** A QoS 0 or 1 message. */
  onMessage?(message: Incoming): void;
  /** A QoS 2 message that was not here before. */
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
  readonly #held = new HeldDeliveries((id) => this.#sendPubrec(id));
  readonly #outbox: Outbox;
  #client: MqttClient | null = null;
  #ready = false;
  #closed = false;
  #attempt = 0;
  /** Why it is lost, if somebody has said so. */
  #reason: string | null = null;
  /** Whether the broker has ever said anything. */
  #answered = false;
  #maximumPacketSize = Infinity;
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
  get held(): number {
    return this.#held.size;
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
  connect(): Promise<void> {
    const first = Promise.withResolvers<void>();
    const { broker } = this.#options;
    const options: IClientOptions = {
      ...brokerOptions(broker),
      ...sessionOptions(this.#options),
      reconnectOnConnackError: true,
      connectTimeout: CONNECT_TIMEOUT_MS,
      reconnectPeriod: this.#options.reconnect === false
        ? 0
        : backoff(broker, 0),
    };
    const client = broker.openStream
      ? new mqtt.MqttClient(broker.openStream, options)
      : mqtt.connect(options);
    this.#client = client;
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
      this.#connected(client, connack).then(
        () => first.resolve(),
        (error) => {
          // Nothing gets better by trying the same broker again at once, but
          // only the first attempt may stop the program.
          this.#reason = error.message;
          if (error instanceof BrokerUnsuitableError) first.reject(error);
          client.stream.destroy();
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
      this.#reason = errorText(error, { broker, answered: this.#answered });
      const code = (error as { code?: unknown }).code;
      // 0x84 and, from brokers that answer in the older form, 1.
      if (code === 0x84 || code === 1) {
        first.reject(
          new BrokerUnsuitableError(
            `the broker at ${broker.host}:${broker.port} does not speak MQTT 5`,
          ),
        );
      }
    });
    // The library reads `reconnectPeriod` in its own `close` handler, so the
    // next wait has to be there before that one runs.
    client.prependListener("close", () => {
      if (this.#options.reconnect !== false) {
        client.options.reconnectPeriod = backoff(broker, this.#attempt++);
      }
      this.#ready = false;
      this.#outbox.close();
      if (this.#closed) return;
      const reason = this.#reason ??
        (this.#answered
          ? "the connection was closed"
          : closedUnanswered(broker));
      this.#reason = null;
      this.#options.onLost?.(reason);
      if (this.#options.reconnect === false) {
        const error = new ConnectionLostError(reason);
        this.#held.giveUp(error);
        first.reject(error);
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
    topic: string,
    options: { qos: 0 | 1 | 2; retained?: boolean; asPublished?: boolean },
  ): Promise<void> {
    return this.#ask(
      `subscribe to "${topic}"`,
      (client, done) =>
        client.subscribe(topic, {
          qos: options.qos,
          rh: options.retained === false ? 2 : 0,
          rap: options.asPublished ?? false,
        }, (error) => {
          const code = (error as { code?: unknown } | null)?.code;
          if (typeof code === "number" && code >= 0x80) {
            done(
              new BrokerUnsuitableError(
                `the broker refuses the subscription to "${topic}": ${
                  reasonText(code)
                }`,
              ),
            );
          } else done(error);
        }),
    );
  }

  /**
   * Ends a subscription.
   *
   * @throws {ConnectionLostError} there is no connection, or it was lost
   */
  unsubscribe(topic: string): Promise<void> {
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
    return this.#outbox.put(message);
  }

  /** The source of bulk messages has something again. */
  bulkReady(): void {
    this.#outbox.bulkReady();
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

  async #connected(
    client: MqttClient,
    connack: IConnackPacket,
  ): Promise<void> {
    const offer = offerOf(connack);
    const lacks = missingFeature(offer);
    if (lacks) {
      const { host, port } = this.#options.broker;
      throw new BrokerUnsuitableError(
        `the broker at ${host}:${port} offers no ${lacks}`,
      );
    }
    // Small packets that wait for each other's TCP acknowledgements would add
    // 40 ms to every exchange.
    (client.stream as { setNoDelay?(on: boolean): void }).setNoDelay?.(true);
    this.#maximumPacketSize = offer.maximumPacketSize ?? Infinity;
    this.#outbox.open(Math.min(offer.receiveMaximum, MAX_UNDER_WAY));
    await this.#options.onConnect({ present: offer.sessionPresent });
    if (!client.connected) {
      throw new ConnectionLostError("the connection was lost again");
    }
    this.#held.repeatPubrecs();
    this.#attempt = 0;
    this.#ready = true;
    this.#options.onReady?.();
  }

  #intercept(packet: Packet): void {
    this.#answered = true;
    this.#nudge.received(packet);
    const delivery = this.#held.intercept(packet);
    if (delivery) this.#options.onDelivery?.(delivery);
    if (
      (packet.cmd === "puback" || packet.cmd === "pubrec") &&
      packet.reasonCode === NO_MATCHING_SUBSCRIBERS
    ) {
      this.#unmatched.add(packet.messageId!);
    }
  }

  #sendPubrec(messageId: number): void {
    const client = this.#client;
    if (!client?.connected) return;
    writeToStream(
      { cmd: "pubrec", messageId, reasonCode: 0 },
      client.stream,
      { protocolVersion: 5 },
    );
  }

  #send(given: Outgoing): Promise<void> {
    const message = fitting(given, this.#maximumPacketSize);
    if (!message) {
      return Promise.reject(
        new PublishError(given.topic, 0x95, reasonText(0x95)),
      );
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#client!.publish(
      message.topic,
      typeof message.payload === "string"
        ? message.payload
        : Buffer.from(message.payload),
      {
        qos: message.qos,
        retain: message.retain ?? false,
        properties: packetProperties(message.properties ?? {}),
      },
      (error, packet) => {
        const code = (error as { code?: unknown } | null | undefined)?.code;
        const id = packet?.messageId;
        if (id !== undefined && this.#unmatched.delete(id)) {
          message.onNobody?.();
        }
        if (!error) resolve();
        else if (typeof code === "number") {
          reject(new PublishError(message.topic, code, reasonText(code)));
        } else reject(error);
      },
    );
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
        new Error(`Cannot ${what}: the connection was closed here`),
      );
    }
    if (!client?.connected) return Promise.reject(lost());
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    send(client, (error) => {
      if (!error) resolve();
      else if (error instanceof BrokerUnsuitableError) reject(error);
      else reject(lost(error));
    });
    return this.#nudge.awaiting(promise);
  }
}

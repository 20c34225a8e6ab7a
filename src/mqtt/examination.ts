/**
 * A connection that looks at the broker: it holds nothing, tries nothing twice,
 * and tells the broker's answers as they are.
 *
 * @module
 */
import type { Incoming, Outgoing } from "../messages/packets.ts";
import { Buffer } from "node:buffer";
import type { IClientOptions, MqttClient } from "mqtt";
import type { IConnackPacket, Packet } from "mqtt-packet";
import type { Broker } from "../config/broker.ts";
import { fulfilledWithin, inTime } from "../deadline.ts";
import { clientOf, streamsTo } from "./client.ts";
import { Quiet } from "./quiet.ts";
import {
  CHECK_PROPERTY,
  grantedBy,
  packetProperties,
  payloadOf,
  propertiesOf,
} from "./message.ts";
import { type Offer, offerOf } from "./offer.ts";

/** How long an attempt to connect may take, in milliseconds. */
const CONNECT_TIMEOUT_MS = 5000;

/** How long the broker may take to answer anything, in milliseconds. */
const ANSWER_MS = 5000;

/** An attempt to connect has failed. */
export class AttemptError extends Error {
  override name = "AttemptError";
  /**
   * The broker's reason code (a number), the code of the socket's or TLS's
   * error (a text; `ETIMEDOUT` if nothing came in time), or null: it was closed.
   */
  readonly code: number | string | null;

  constructor(message: string, code: number | string | null) {
    super(message);
    this.code = code;
  }
}

/** A connection for looking. */
export class Examination implements AsyncDisposable {
  readonly offer: Offer;
  readonly #client: MqttClient;
  /** Messages that have come, newest last. */
  readonly #arrived: Incoming[] = [];
  readonly #quiet = new Quiet();
  readonly #listeners = new Set<() => void>();
  /** Answers to publications that are not to be released. */
  readonly #unreleased = new Map<number, (code: number) => void>();

  private constructor(client: MqttClient, connack: IConnackPacket) {
    this.#client = client;
    this.offer = offerOf(connack);
    client.on("error", () => {});
    client.on("message", (topic, _payload, packet) => {
      const message = {
        topic,
        payload: payloadOf(packet),
        retained: packet.retain,
        properties: propertiesOf(packet),
      };
      this.#arrived.push(message);
      this.#quiet.receive(message);
      for (const listener of this.#listeners) listener();
    });
    client.on("packetreceive", (packet) => this.#intercept(packet));
  }

  /**
   * Connects, once.
   *
   * @param options.sessionExpiry 0: the session ends with the connection
   * @param options.clean false: goes on with the session that is there
   * @throws {AttemptError} there is no connection to be had
   */
  static async open(
    broker: Broker,
    options: { clientId: string; sessionExpiry: number; clean: boolean },
  ): Promise<Examination> {
    const { client, connack } = await attempt(broker, {
      clientId: options.clientId,
      clean: options.clean,
      properties: { sessionExpiryInterval: options.sessionExpiry },
    });
    return new Examination(client, connack);
  }

  /**
   * Subscribes.
   *
   * @returns the broker's reason code: 0 to 2, the QoS that it grants; from 0x80
   * on it refuses (3.9.3)
   */
  subscribe(
    filter: string,
    options: { qos: 0 | 1 | 2; retained?: boolean },
  ): Promise<number> {
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    this.#client.subscribe(filter, {
      qos: options.qos,
      rh: options.retained === false ? 2 : 0,
    }, (error, _granted, suback) => {
      const code = grantedBy(suback);
      if (code !== null) resolve(code);
      else reject(error);
    });
    return answered(promise, `subscribing to "${filter}"`);
  }

  /** Ends a subscription. */
  async unsubscribe(filter: string): Promise<void> {
    await answered(
      this.#client.unsubscribeAsync(filter),
      `unsubscribing from "${filter}"`,
    );
  }

  /**
   * Publishes.
   *
   * @returns the broker's reason code: below 0x80 it has taken the message
   */
  publish(message: Outgoing): Promise<number> {
    return answered(
      this.#send(message),
      `publishing on "${message.topic}"`,
    );
  }

  /**
   * Publishes at QoS 2 up to the broker's PUBREC, which says whether it is
   * allowed, and not further: a broker that waits for the PUBREL before it passes
   * a message on (MQTT 5, 4.3.3, leaves that to it) passes on nothing, and forgets
   * the message with this session.
   *
   * @returns the broker's reason code
   */
  publishHalf(message: Outgoing): Promise<number> {
    const { promise, resolve } = Promise.withResolvers<number>();
    // Its end is never answered; that of the connection fails it.
    this.#send({ ...message, qos: 2 }).catch(() => {});
    this.#unreleased.set(this.#client.getLastMessageId(), resolve);
    return answered(promise, `publishing on "${message.topic}"`);
  }

  /** Everything that has come on the topics that fit. */
  arrivals(fits: (topic: string) => boolean): Incoming[] {
    return this.#arrived.filter(({ topic }) => fits(topic));
  }

  /** Whether a trial message comes back in time. */
  async returned(check: string, withinMs: number): Promise<boolean> {
    const there = () =>
      this.#arrived.some(({ properties }) =>
        properties.user?.[CHECK_PROPERTY] === check
      );
    if (there()) return true;
    const { promise, resolve } = Promise.withResolvers<void>();
    const listener = () => there() && resolve();
    this.#listeners.add(listener);
    return await fulfilledWithin(withinMs, promise).finally(() =>
      this.#listeners.delete(listener)
    );
  }

  /** The retained message on a topic; null if there is none. */
  async lookUp(topic: string): Promise<Incoming | null> {
    return (await this.lookUpAll(topic)).at(-1) ?? null;
  }

  /** The retained messages on all topics of a filter. */
  async lookUpAll(filter: string): Promise<Incoming[]> {
    const before = this.#arrived.length;
    await this.subscribe(filter, { qos: 0 });
    await this.#quiet.settle();
    await this.unsubscribe(filter);
    return this.#arrived.slice(before).filter(({ retained }) => retained);
  }

  /** Closes it. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#client.connected) {
      await fulfilledWithin(ANSWER_MS, this.#client.endAsync(false));
    }
    await close(this.#client);
  }

  #send(message: Outgoing): Promise<number> {
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    this.#client.publish(
      message.topic,
      typeof message.payload === "string"
        ? message.payload
        : Buffer.from(message.payload),
      {
        // [MQTT-3.2.2-11]
        qos: Math.min(message.qos, this.offer.maximumQos) as 0 | 1 | 2,
        retain: message.retain ?? false,
        properties: packetProperties(message.properties ?? {}),
      },
      (error) => {
        const code = (error as { code?: unknown } | null | undefined)?.code;
        if (!error) resolve(0);
        else if (typeof code === "number") resolve(code);
        else reject(error);
      },
    );
    return promise;
  }

  #intercept(packet: Packet): void {
    if (packet.cmd !== "pubrec") return;
    const answer = this.#unreleased.get(packet.messageId!);
    if (!answer) return;
    // A command that the library does not know, so that it sends no PUBREL.
    (packet as { cmd: string }).cmd = "unreleased";
    this.#client.removeOutgoingMessage(packet.messageId!);
    answer(packet.reasonCode ?? 0);
  }
}

/**
 * Whether a broker answers CONNECT in a version of MQTT with a CONNACK, whatever
 * it says. The password stays here: what is asked is who is there.
 *
 * @param options.version 4: MQTT 3.1.1
 */
export async function answersMqtt(
  { username: _, password: __, ...broker }: Broker,
  { version }: { version: 4 | 5 },
): Promise<boolean> {
  try {
    const { client } = await attempt(broker, {
      clientId: `ansible-worker-${crypto.randomUUID().slice(0, 8)}`,
      clean: true,
      protocolVersion: version,
    });
    await close(client);
    return true;
  } catch (error) {
    if (!(error instanceof AttemptError)) throw error;
    // 1: the version is not accepted (MQTT 3.1.1, 3.2.2.3).
    return typeof error.code === "number" && error.code !== 1 &&
      error.code !== 0x84;
  }
}

async function attempt(
  broker: Broker,
  options: IClientOptions,
): Promise<{ client: MqttClient; connack: IConnackPacket }> {
  const openStream = await streamsTo(broker);
  const client = clientOf({ broker, openStream }, {
    resubscribe: false,
    reconnectPeriod: 0,
    connectTimeout: CONNECT_TIMEOUT_MS,
    ...options,
  });
  const { promise, resolve, reject } = Promise.withResolvers<IConnackPacket>();
  let first: AttemptError | null = null;
  const started = performance.now();
  client.on("connect", resolve);
  client.on("error", (error) => {
    const { code } = error as { code?: number | string };
    first ??= new AttemptError(error.message, code ?? null);
  });
  client.on("close", () => {
    const late = performance.now() - started >= CONNECT_TIMEOUT_MS;
    reject(
      late
        ? new AttemptError(
          `nothing has come within ${CONNECT_TIMEOUT_MS / 1000} s`,
          "ETIMEDOUT",
        )
        : first ?? new AttemptError("the connection was closed", null),
    );
  });
  try {
    return { client, connack: await promise };
  } catch (error) {
    await close(client);
    throw error;
  }
}

async function close(client: MqttClient): Promise<void> {
  await client.endAsync(true).catch(() => {});
  client.stream?.destroy();
}

/** What the broker answers, or an error when it does not. */
function answered<T>(promise: Promise<T>, what: string): Promise<T> {
  return inTime(promise, {
    ms: ANSWER_MS,
    late: () => new Error(`no answer to ${what} within ${ANSWER_MS / 1000} s`),
  });
}

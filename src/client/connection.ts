/**
 * A client's connection: a clean session, no will, and subscriptions that are
 * made again after each loss.
 *
 * What is retained is asked for at QoS 0 and what is new at QoS 1: a broker
 * sends all that is retained at once, and drops, at QoS 1, what is more than it
 * would queue (mosquitto: 1,000 messages).
 *
 * @module
 */
import type { Incoming, Outgoing } from "../messages/packets.ts";
import {
  type Broker,
  BrokerUnsuitableError,
  MqttConnection,
  Quiet,
} from "../mqtt/mod.ts";

/** The broker cannot be reached, or refuses; the message says why. */
export class NoConnectionError extends Error {
  override name = "NoConnectionError";
}

/** What a client wants to hear. */
export interface ClientEvents {
  /** What to subscribe to. */
  topics: readonly string[];
  /** A message. */
  onMessage(message: Incoming): void;
  /** The connection is lost, and tried again. */
  onLost?(reason: string): void;
  /** It is back, and everything retained has been received again. */
  onReconnected?(): void;
}

/** A client's connection. */
export class ClientConnection implements AsyncDisposable {
  readonly #connection: MqttConnection;

  private constructor(connection: MqttConnection) {
    this.#connection = connection;
  }

  /**
   * Connects, once; later losses are tried again for ever.
   *
   * @returns when everything retained on the topics was received
   * @throws {NoConnectionError} the broker cannot be reached, or refuses
   */
  static async open(
    broker: Broker,
    { topics, onMessage, onLost, onReconnected }: ClientEvents,
  ): Promise<ClientConnection> {
    const failed = Promise.withResolvers<never>();
    const quiet = new Quiet();
    let opened = false;
    const connection = new MqttConnection({
      broker,
      clientId: `ansible-worker-client-${crypto.randomUUID().slice(0, 13)}`,
      sessionExpiry: 0,
      onConnect: async () => {
        await Promise.all(topics.flatMap((topic) => [
          connection.subscribe(topic, { qos: 0 }),
          connection.subscribe(topic, { qos: 1, retained: false }),
        ]));
        await quiet.settle();
      },
      onReady: () => {
        if (opened) onReconnected?.();
      },
      onLost: (reason) => {
        if (opened) onLost?.(reason);
        else failed.reject(new Error(reason));
      },
      onMessage: (message) => {
        quiet.receive(message);
        onMessage(message);
      },
    });
    try {
      await Promise.race([connection.connect(), failed.promise]);
    } catch (error) {
      await connection[Symbol.asyncDispose]();
      throw new NoConnectionError(
        error instanceof BrokerUnsuitableError
          ? error.message
          : `Cannot connect to the broker at ${broker.host}:${broker.port}: ${
            (error as Error).message
          }`,
      );
    }
    opened = true;
    return new ClientConnection(connection);
  }

  /**
   * Publishes a message, now or when the connection is back.
   *
   * @returns settles when the broker has acknowledged it
   * @throws {PublishError} the broker refused it
   */
  publish(message: Outgoing): Promise<void> {
    return this.#connection.publish(message);
  }

  /** Closes it. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#connection[Symbol.asyncDispose]();
  }
}

/**
 * What travels in MQTT packets, free of any library's types: the messages that
 * come in, those that go out, and the properties of both.
 *
 * @module
 */

/** The MQTT 5 properties of a message that the program uses (3.3.2.3). */
export interface MessageProperties {
  /** User properties; where a name occurs more than once, the last counts. */
  user?: Record<string, string>;
  /** Seconds that the message is still good for. */
  expirySeconds?: number;
  /** Where the requester wants answers. */
  responseTopic?: string;
  /** What the requester wants back with each answer, byte for byte. */
  correlationData?: Uint8Array;
}

/** The connection was lost before the broker answered. */
export class ConnectionLostError extends Error {
  override name = "ConnectionLostError";
}

/** A message that has come in. */
export interface Incoming {
  topic: string;
  payload: Uint8Array;
  /** Whether it was a retained message, not one published just now. */
  retained: boolean;
  properties: MessageProperties;
}

/** A QoS 2 message that the broker keeps until it is released (4.3.3). */
export interface Delivery {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly properties: MessageProperties;
  /** Whether the broker says that it has sent this message before. */
  readonly redelivered: boolean;
  /** Whether its sender asked the broker to keep it for later subscribers. */
  readonly retained: boolean;
  /**
   * Takes the message over: resolves when the broker can never deliver it
   * again, on whichever connection that becomes certain. Calling it twice is
   * the same as once. It rejects only if that connection was the only one.
   */
  release(): Promise<void>;
}

/** A message to be published. */
export interface Outgoing {
  topic: string;
  payload: string | Uint8Array;
  qos: 1 | 2;
  /** Whether the broker keeps it for later subscribers. */
  retain?: boolean;
  properties?: MessageProperties;
  /**
   * A newer message in the same lane may take its place while it waits; it then
   * counts as published when the newer one is.
   */
  replaceable?: boolean;
  /**
   * Names what is kept in order, and replaced, together; if left out, all that
   * is published on the topic is.
   */
  lane?: string;
  /**
   * The same in at most so many bytes, as well as it can be said, for a broker
   * that takes no larger packets (3.2.2.3.6).
   */
  shorten?(bytes: number): string;
  /**
   * Called when the broker says that nobody is subscribed to its topic (reason
   * code 0x10, 3.4.2.1 and 3.5.2.1). Not every broker does, and mosquitto only
   * at QoS 1.
   */
  onNobody?(): void;
}

/** A message that gives way to all others (see `mqtt/outbox.ts`). */
export interface BulkMessage {
  message: Outgoing;
  /** The broker has acknowledged it, or has refused it with an error. */
  answered(error?: unknown): void;
}

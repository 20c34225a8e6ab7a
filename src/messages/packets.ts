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

/** The connection was closed here, for good. */
export class ConnectionClosedError extends Error {
  override name = "ConnectionClosedError";
}

/** The connection was lost before the broker answered. */
export class ConnectionLostError extends Error {
  override name = "ConnectionLostError";
}

/** The broker lets nobody in like that (CONNACK with an error). */
export class ConnectionRefusedError extends ConnectionLostError {
  override name = "ConnectionRefusedError";
}

/** A message that has come in. */
export interface Incoming {
  topic: string;
  payload: Uint8Array;
  /** Whether it was a retained message, not one published just now. */
  retained: boolean;
  properties: MessageProperties;
}

/** A message that the broker keeps, at QoS 1 and 2, until it is answered. */
export interface Delivery {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly properties: MessageProperties;
  /**
   * Whether somebody may have had this message before: the broker says so, or the
   * connection was lost since it came.
   */
  readonly redelivered: boolean;
  /** Whether its sender asked the broker to keep it for later subscribers. */
  readonly retained: boolean;
  /**
   * The broker need not keep it any more. It is told so when everything that
   * came before is answered. Calling it twice is the same as once.
   */
  answer(): void;
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
   * Whether it is given up with the connection: `publish()` rejects then, and the
   * broker may or may not have it. Left out: it follows on the next one.
   */
  fleeting?: boolean;
  /**
   * Names what is kept in order, and replaced, together; if left out, all that
   * is published on the topic is.
   */
  lane?: string;
  /**
   * The payload in so many bytes at most, for a broker that takes no larger
   * packet (3.2.2.3.6); null if it cannot be shortened so far.
   */
  shorten?(bytes: number): string | null;
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

/**
 * A connection as the broker sees it.
 *
 * @module
 */

/** The broker's end of a connection. */
export interface Link {
  /** Sends bytes to the client. */
  send(bytes: Uint8Array): void;
  /** Closes it in order. */
  close(): void;
  /** Drops it, as a broker that dies does. */
  break(): void;
  /** Gets the bytes of the client; set by the broker. */
  onData(bytes: Uint8Array): void;
  /** The client, or the network, has closed it; set by the broker. */
  onClose(): void;
}

/** What the broker knows of time. */
export interface Time {
  /** Milliseconds, from whenever. */
  now(): number;
  /** Does something after so many milliseconds. */
  after(ms: number, action: () => void): { cancel(): void };
}

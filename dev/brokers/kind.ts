/**
 * What the scenarios need of a broker.
 *
 * @module
 */

/**
 * How a broker is set: as docs/operations.md says, or with nothing set but
 * where it listens and that everybody may do everything.
 */
export type Settings = "recommended" | "default";

/** A broker that the worker is tried on. */
export interface BrokerKind {
  /** As in the table and on the command line. */
  name: string;
  /**
   * Makes sure that it can be started.
   *
   * @throws {NotRunError} it cannot be run here
   */
  setUp(): Promise<ReadyBroker>;
}

/** A broker that can be started. */
export interface ReadyBroker {
  version: string;
  /** Starts it, with nothing in it where it is ours. */
  start(settings: Settings): Promise<RunningBroker>;
}

/** A running broker: MQTT without TLS on a port of the loopback address. */
export interface RunningBroker extends AsyncDisposable {
  readonly port: number;
  /** Whether it has ended by itself. */
  readonly isOver: boolean;
  /** What it has written lately, where we can read that. */
  readonly said: string;
  /**
   * Ends it in order.
   *
   * @throws {NotRunError} it is not ours
   */
  stop(): Promise<void>;
  /** Starts it again, on the same port, with what it has kept. */
  start(): Promise<void>;
}

/** Something cannot be tried here; the message says why. */
export class NotRunError extends Error {
  override name = "NotRunError";
  /** Whether that is to be put right, and not only a program that is missing. */
  readonly isFault: boolean;

  constructor(message: string, options: { isFault?: boolean } = {}) {
    super(message);
    this.isFault = options.isFault ?? false;
  }
}

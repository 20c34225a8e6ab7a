/**
 * @module
 */

/** The broker cannot serve this worker; the message says what is missing. */
export class BrokerUnsuitableError extends Error {
  override name = "BrokerUnsuitableError";
  /** The reason code with which it has refused something, if it has (2.4). */
  readonly code: number | null;

  constructor(message: string, { code = null }: { code?: number | null } = {}) {
    super(message);
    this.code = code;
  }
}

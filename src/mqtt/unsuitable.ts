/**
 * @module
 */

/** The broker cannot serve this worker; the message says what is missing. */
export class BrokerUnsuitableError extends Error {
  override name = "BrokerUnsuitableError";
}

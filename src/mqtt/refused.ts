/**
 * Why there is no connection, in words for a person: what the library, the
 * socket and TLS say names the mechanism, and seldom the cause.
 *
 * @module
 */
import type { Broker } from "../config/broker.ts";

const REASONS: Record<number, string> = {
  0x80: "unspecified error",
  0x83: "implementation specific error",
  0x85: "the client id is not valid",
  0x86: "bad user name or password",
  0x87: "not authorized",
  0x88: "server unavailable",
  0x89: "server busy",
  0x8a: "banned",
  0x8b: "server shutting down",
  0x8d: "keep alive timeout",
  0x8e: "session taken over",
  0x8f: "topic filter not valid",
  0x90: "topic name not valid",
  0x93: "receive maximum exceeded",
  0x95: "packet too large",
  0x97: "quota exceeded",
  0x98: "administrative action",
  0x9a: "retain not supported",
  0x9b: "QoS not supported",
  0x9e: "shared subscriptions not supported",
  0xa2: "wildcard subscriptions not supported",
};

/** A reason code (MQTT 5, 2.4) in words. */
export function reasonText(code: number): string {
  return REASONS[code] ?? `reason code 0x${code.toString(16)}`;
}

const UNTRUSTED =
  "the broker's certificate is not signed by an authority that this worker trusts; mqtt.tls_ca_cert has to be the one that signed it";
// What Deno 2.9 says of a certificate that has expired, too; and it shows none.
const UNVERIFIED =
  "the broker's certificate is not signed by an authority that this worker trusts (mqtt.tls_ca_cert has to be the one that signed it), or has expired, or is not valid yet; `ansible-worker doctor` tells which";
const EXPIRED =
  "the broker's certificate has expired, or the clock of this host is wrong";
const EARLY =
  "the broker's certificate is not valid yet, or the clock of this host is wrong";
const WANTED =
  "the broker wants a certificate of this worker: mqtt.tls_client_cert and mqtt.tls_client_key";
const REFUSED =
  "the broker does not accept this worker's certificate (mqtt.tls_client_cert)";
const NOTHING_IN_COMMON =
  "the broker and this worker have no version or cipher of TLS in common, or mqtt.tls_client_key is not the key of mqtt.tls_client_cert";

/** The codes of TLS, as Node names what OpenSSL and rustls find. */
const CAUSES: Record<string, string> = {
  SELF_SIGNED_CERT_IN_CHAIN: UNTRUSTED,
  DEPTH_ZERO_SELF_SIGNED_CERT: UNTRUSTED,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: UNVERIFIED,
  UNABLE_TO_GET_ISSUER_CERT: UNTRUSTED,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: UNTRUSTED,
  CERT_UNTRUSTED: UNTRUSTED,
  CERT_HAS_EXPIRED: EXPIRED,
  CERT_NOT_YET_VALID: EARLY,
  ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED: WANTED,
  ERR_SSL_TLSV1_ALERT_UNKNOWN_CA: REFUSED,
  ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE: REFUSED,
  ERR_SSL_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE: REFUSED,
  ERR_SSL_SSLV3_ALERT_CERTIFICATE_REVOKED: REFUSED,
  ERR_SSL_SSLV3_ALERT_CERTIFICATE_EXPIRED: REFUSED,
  ERR_SSL_SSLV3_ALERT_CERTIFICATE_UNKNOWN: REFUSED,
  ERR_SSL_UNSUPPORTED_PROTOCOL: NOTHING_IN_COMMON,
  ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE: NOTHING_IN_COMMON,
};

/**
 * An error of the library, the socket or TLS, as a sentence's end.
 *
 * @param options.answered whether anything has ever come from this broker; what
 * has worked before is not a mistake in the configuration
 * @param options.refused whether the broker has refused this connection (3.2.2.2)
 */
export function errorText(
  error: Error,
  { broker, answered, refused }: {
    broker: Broker;
    answered: boolean;
    refused: boolean;
  },
): string {
  const { code } = error as { code?: unknown };
  if (typeof code === "number" && !refused) {
    return `the broker breaks the protocol: ${error.message}`;
  }
  if (typeof code === "number") {
    const refusal = `the broker refused the connection: ${reasonText(code)}`;
    if (code !== 0x86 && code !== 0x87) return refusal;
    return broker.username === undefined
      ? `${refusal}; it may want a user name and a password (mqtt.username, mqtt.password)`
      : `${refusal} (mqtt.username, mqtt.password)`;
  }
  const cause = code === "ERR_TLS_CERT_ALTNAME_INVALID"
    ? `the broker's certificate is for another name than "${broker.host}" (mqtt.host)`
    : CAUSES[String(code)];
  if (cause !== undefined) return `${cause} (${code})`;
  if (code === "ECONNREFUSED") {
    return `nothing accepts connections there; is the broker running, and are mqtt.host and mqtt.port right? (${code})`;
  }
  if (code === "ECONNRESET" && !answered) {
    return /before secure TLS/.test(error.message)
      ? `the broker closed the connection before TLS was agreed upon; port ${broker.port} may be one without TLS (${code})`
      : `${closedUnanswered(broker)} (${code})`;
  }
  const inner = error instanceof AggregateError ? error.errors[0] : null;
  const text = error.message || inner?.message || String(code ?? error);
  return typeof code === "string" && !text.includes(code)
    ? `${text} (${code})`
    : text;
}

/** A broker that has never said anything has closed the connection. */
export function closedUnanswered({ port, tls }: Broker): string {
  const guess = tls === undefined
    ? `port ${port} may be one for TLS (mqtt.tls_enabled) or for WebSocket (mqtt.websocket_path)`
    : tls.cert === undefined
    ? "it may want a certificate of this worker (mqtt.tls_client_cert)"
    : "it may not accept this worker's certificate (mqtt.tls_client_cert)";
  return `the broker closed the connection without an answer; ${guess}`;
}

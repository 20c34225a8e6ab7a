/**
 * Whether TLS is spoken at a port, and the certificate that is shown there,
 * whoever has signed it.
 *
 * @module
 */
import { isIP } from "node:net";
import tls from "node:tls";
import { fulfilledWithin } from "../deadline.ts";
import type { Broker } from "../mqtt/mod.ts";

/** How long the handshake may take, in milliseconds. */
const HANDSHAKE_MS = 5000;

/** What a server shows of itself. */
export interface Certificate {
  /** The names and addresses that it is for; empty where it has none. */
  names: string;
  /** Who has signed it. */
  issuer: string;
  /** From when it is good, in its own words. */
  from: string;
  /** Until when. */
  to: string;
}

/** The certificate at the broker's port; null if no TLS is spoken there. */
export async function certificateAt(
  { host, port }: Broker,
): Promise<Certificate | null> {
  const { promise, resolve } = Promise.withResolvers<Certificate | null>();
  const socket = tls.connect({
    host,
    port,
    // Nothing is sent on it: only who is there is asked.
    rejectUnauthorized: false,
    ...(isIP(host) === 0 && { servername: host }),
  }, () => {
    const shown = socket.getPeerCertificate();
    resolve({
      names: shown.subjectaltname ?? String(shown.subject?.CN ?? ""),
      issuer: String(shown.issuer?.CN ?? "?"),
      from: shown.valid_from ?? "?",
      to: shown.valid_to ?? "?",
    });
  });
  socket.on("error", () => resolve(null));
  socket.on("close", () => resolve(null));
  const inTime = await fulfilledWithin(HANDSHAKE_MS, promise);
  socket.destroy();
  return inTime ? await promise : null;
}

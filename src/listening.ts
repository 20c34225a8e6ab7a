/**
 * Listening for HTTP, and leaving off.
 *
 * @module
 */
import type { Server } from "node:http";

/** The address cannot be listened on; the message says why. */
export class ListenError extends Error {
  override name = "ListenError";
}

/**
 * Has a server listen; settles when it does.
 *
 * @throws {ListenError} the port is taken, or the address is not this host's
 */
export async function listen(
  server: Server,
  { hostname, port }: { hostname: string; port: number },
): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once("error", reject);
  server.listen({ host: hostname, port }, resolve);
  try {
    await promise;
  } catch (error) {
    throw new ListenError(reasonOf(error as Error));
  }
  server.on("error", () => {});
}

/** Closes a server, and what is open. */
export async function close(server: Server): Promise<void> {
  const closed = new Promise((resolve) => server.close(resolve));
  server.closeAllConnections();
  await closed;
}

/** Why a server cannot listen, as the rest of a sentence. */
function reasonOf(error: Error & { code?: string }): string {
  switch (error.code) {
    case "EADDRINUSE":
      return "the port is in use by another program";
    case "EACCES":
      return "this user may not use the port; take one above 1023";
    case "EADDRNOTAVAIL":
    case "EINVAL":
      return "this host does not have the address";
    default:
      return error.message;
  }
}

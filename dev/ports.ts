/**
 * Ports of the loopback address for the programs of one process, which those of
 * no other process get: a program may begin to listen later, or stop for a while,
 * and its port is free as long.
 *
 * @module
 */

/**
 * Below what systems give to outgoing connections and to whoever asks for any
 * port: from 32,768 on with Linux, from 49,152 on with macOS.
 */
const FIRST = 12_000;
const END = 32_000;

/** How many each process has. */
const OWN = 200;

/** Before the tests, for which it would be something that they leave behind. */
const own = reserve();
let given = 0;

/**
 * Takes the first ports of all that no other process has. It listens on the
 * lowest of them, by which the others know, until it ends.
 */
function reserve(): number {
  for (let lowest = FIRST; lowest < END; lowest += OWN) {
    if (listenOn(lowest) !== null) return lowest;
  }
  throw new Error("other processes have all ports for tests");
}

function listenOn(port: number): Deno.TcpListener | null {
  try {
    return Deno.listen({ hostname: "127.0.0.1", port });
  } catch (error) {
    if (error instanceof Deno.errors.AddrInUse) return null;
    throw error;
  }
}

/** A TCP port of the loopback address that nobody uses at this moment. */
export function freePort(): number {
  for (let tries = 1; tries < OWN; tries++) {
    const port = own + 1 + given++ % (OWN - 1);
    const listener = listenOn(port);
    if (listener === null) continue;
    listener.close();
    return port;
  }
  throw new Error(`all ports from ${own} to ${own + OWN - 1} are in use`);
}

/** Several, no two of them the same. */
export function freePorts(count: number): number[] {
  return Array.from({ length: count }, freePort);
}

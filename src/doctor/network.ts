/**
 * Whether the broker can be reached at all: its name, and its port.
 *
 * @module
 */
import { brokerOf, ConfigError, hostAndPort } from "../config/mod.ts";
import { inTime } from "../deadline.ts";
import type { Broker } from "../mqtt/mod.ts";
import { defineCheck } from "./check.ts";
import { failed, ok, type Outcome } from "./finding.ts";

/** How long a TCP connection may take, in milliseconds. */
const CONNECT_MS = 5000;

/** Whether something listens where the broker should be. */
export const reachable = defineCheck({
  id: "broker",
  title: "broker",
  needs: ["loaded"],
  async run(known) {
    let broker: Broker;
    try {
      broker = await brokerOf(known.loaded.config.mqtt);
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      return failed(error.message, "Correct the configuration first.");
    }
    const { host, port } = broker;
    const since = performance.now();
    try {
      await connect(host, port);
    } catch (error) {
      return unreachable(error, broker);
    }
    known.broker = broker;
    const took = Math.round(performance.now() - since);
    return ok(`${hostAndPort(broker)} accepts connections (${took} ms)`);
  },
});

class TimeoutError extends Error {}

/** Connects and closes, or fails within the time. */
async function connect(hostname: string, port: number): Promise<void> {
  const connecting = Deno.connect({ hostname, port });
  const closed = connecting.then((connection) => connection.close());
  await inTime(closed, { ms: CONNECT_MS, late: () => new TimeoutError() });
}

function unreachable(error: unknown, broker: Broker): Outcome {
  const { host } = broker;
  const address = hostAndPort(broker);
  const isRunning =
    `Is the broker running, and does it listen on this address? mosquitto without a "listener" line listens on the loopback address only.`;
  if (error instanceof Deno.errors.NotCapable) {
    return failed(
      `Deno's sandbox does not allow a connection to ${address}`,
      `Start the worker with --allow-net=${address}.`,
    );
  }
  if (error instanceof Deno.errors.ConnectionRefused) {
    return failed(
      `connection refused: nothing listens at ${address}`,
      "Check mqtt.port (usually 1883, or 8883 with TLS) and mqtt.host.",
      isRunning,
    );
  }
  if (error instanceof TimeoutError || error instanceof Deno.errors.TimedOut) {
    return failed(
      `no answer from ${address} within ${CONNECT_MS / 1000} s`,
      "Check mqtt.host and mqtt.port; a firewall on the way may drop what is sent there.",
      isRunning,
    );
  }
  const text = error instanceof Error ? error.message : String(error);
  if (/lookup|resolv|name or service|not known/i.test(text)) {
    return failed(
      `name not found: cannot resolve the host "${host}"`,
      "Check mqtt.host, and that this host can resolve the name (getent hosts NAME).",
    );
  }
  return failed(
    `cannot connect to ${address}: ${text}`,
    "Check mqtt.host and mqtt.port, and the network between here and the broker.",
  );
}

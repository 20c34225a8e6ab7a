/**
 * Brokers that somebody else has started, reached by what an environment
 * variable says: `HOST:PORT`.
 *
 * @module
 */
import { Proxy } from "../../tests/harness/proxy.ts";
import { accepting } from "../../tests/harness/listening.ts";
import { type BrokerKind, NotRunError, type RunningBroker } from "./kind.ts";

/** How long a container may take until its broker answers, in seconds. */
const START_SECONDS = 60;

/** A broker, and the variable that says where it is. */
export function external(name: string): BrokerKind {
  const variable = `BROKER_${name.toUpperCase()}`;
  return {
    name,
    async setUp() {
      const place = Deno.env.get(variable);
      if (!place) throw new NotRunError(`${variable} is not set`);
      const [, host, port] = /^(.+):(\d+)$/.exec(place) ?? [];
      if (!host) {
        throw new NotRunError(`${variable} is not HOST:PORT`, {
          isFault: true,
        });
      }
      const target = { hostname: host, port: Number(port) };
      await accepting(target.port, {
        hostname: target.hostname,
        seconds: START_SECONDS,
      }).catch(() => {
        throw new NotRunError(`nothing answers at ${place}`, { isFault: true });
      });
      return {
        version: "",
        start: () => Promise.resolve(new ExternalBroker(target)),
      };
    },
  };
}

/** A way to it from the loopback address. */
class ExternalBroker implements RunningBroker {
  readonly isOver = false;
  readonly said = "";
  readonly #proxy: Proxy;

  constructor(target: { hostname: string; port: number }) {
    this.#proxy = Proxy.to(target.port, target.hostname);
  }

  get port(): number {
    return this.#proxy.port;
  }

  stop(): Promise<void> {
    return Promise.reject(
      new NotRunError("a broker that others have started is not restarted"),
    );
  }

  start(): Promise<void> {
    return this.stop();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#proxy[Symbol.asyncDispose]();
  }
}

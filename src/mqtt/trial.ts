/**
 * What no CONNACK says of a broker, and a worker relies on: that two clients are
 * two, that a message comes as it was sent, and that what is retained comes again
 * for whoever subscribes again.
 *
 * @module
 */
import type { Broker } from "../config/broker.ts";
import { ConnectionLostError, type Incoming } from "../messages/packets.ts";
import { BrokerUnsuitableError } from "./unsuitable.ts";
import { Visit } from "./visit.ts";

/** The user property of the message that is sent. */
const PROPERTY = "trial";

/** How long the message may take, in milliseconds. */
const BACK_MS = 10_000;

/** So often in a row one of two connections may be lost by chance. */
const CHANCES = 2;

/** So often a message that is retained may be gone when it is asked for. */
const TRIES = 4;

/** A broker that is tried. */
export class Trial {
  readonly #broker: Broker;
  #lost = 0;

  /** Nothing is tried yet. */
  constructor(broker: Broker) {
    this.#broker = broker;
  }

  /**
   * Tries it with a second connection beside one that is there.
   *
   * @param options.topic which both may write and read, and nobody listens to
   * @param options.clientId of the second connection
   * @throws {BrokerUnsuitableError} no worker can rely on it
   * @throws {ConnectionLostError} that cannot be known now
   */
  async with(
    visit: Visit,
    { topic, clientId }: { topic: string; clientId: string },
  ): Promise<void> {
    await using second = await Visit.open(this.#broker, {
      clientId,
      sessionExpiry: 0,
    });
    for (let i = 1;; i++) {
      await this.#isWhole(second, topic);
      if (await this.#comesAgain(second, topic)) break;
      // Whoever took this worker for dead may have cleared it just then.
      if (i < TRIES) continue;
      throw new BrokerUnsuitableError(
        `${this.#at} does not send a retained message again to a client that subscribes again, as MQTT 5 demands (3.8.4); no worker can look there for what is retained`,
      );
    }
    try {
      await this.#isWhole(visit, topic);
    } catch (error) {
      if (!(error instanceof ConnectionLostError)) throw error;
      // The other one still works.
      await this.#isWhole(second, topic);
      if (!visit.takenOver && ++this.#lost <= CHANCES) throw error;
      throw new BrokerUnsuitableError(
        `${this.#at} closes a connection when a second one comes, as if both had one client id; it may make client ids of user names (mosquitto: use_username_as_clientid), with which no worker can have its two connections`,
      );
    }
    this.#lost = 0;
  }

  /** Whether a message comes back with what it was sent with. */
  async #isWhole(visit: Visit, topic: string): Promise<void> {
    const value = crypto.randomUUID();
    let kept: string | undefined;
    const isBack = await visit.ask({
      topic,
      payload: value,
      qos: 1,
      retain: true,
      properties: { user: { [PROPERTY]: value } },
    }, {
      topic,
      withinMs: BACK_MS,
      fits: ({ payload, properties }) => {
        if (new TextDecoder().decode(payload) !== value) return false;
        kept = properties.user?.[PROPERTY];
        return true;
      },
    });
    if (!isBack) {
      throw new ConnectionLostError(
        `what is published on "${topic}" has not come back within ${
          BACK_MS / 1000
        } s; may this worker read it?`,
      );
    }
    if (kept === value) return;
    throw new BrokerUnsuitableError(
      `${this.#at} does not pass on the user properties of messages; a bridge or a proxy of MQTT 3.1.1 may be in between`,
    );
  }

  /** Whether a second subscription brings what is retained [MQTT-3.8.4-3]. */
  async #comesAgain(visit: Visit, topic: string): Promise<boolean> {
    const fits = ({ retained }: Incoming) => retained;
    return await visit.brings({ topic, withinMs: BACK_MS, fits }) &&
      await visit.brings({ topic, withinMs: BACK_MS, fits });
  }

  get #at(): string {
    return `the broker at ${this.#broker.host}:${this.#broker.port}`;
  }
}

/**
 * Whether a worker would start with this broker: tried as it does itself, before
 * its first connection.
 *
 * @module
 */
import { ConnectionLostError, type Outgoing } from "../messages/packets.ts";
import {
  type Broker,
  BrokerUnsuitableError,
  CHECK_PROPERTY,
  Examination,
  PublishError,
  Trial,
  Visit,
} from "../mqtt/mod.ts";
import { throwAwayClientId } from "./attempt.ts";
import { defineCheck, type Known } from "./check.ts";
import { failed, ok, type Outcome, skipped } from "./finding.ts";

/** How long a message may take to come back, in milliseconds. */
const RETURN_MS = 2000;

/** How often it is tried: a connection may be lost by chance. */
const ATTEMPTS = 3;

/** The trial of a worker that starts. */
export const trial = defineCheck({
  id: "trial",
  title: "trial",
  needs: ["examination", "broker", "loaded", "topics"],
  async run(known) {
    const { broker, examination, loaded, nobody, topics } = known;
    // A topic of the worker's own, that none of its tasks can have.
    const topic = topics.record(loaded.config.worker.worker_id, nobody);
    if (!await isOurs(topic, examination)) {
      return skipped(`needs the right to read and write "${topic}"`);
    }
    const trial = new Trial(broker);
    for (let attempt = 1;; attempt++) {
      try {
        await using visit = await Visit.open(broker, {
          clientId: throwAwayClientId(),
          sessionExpiry: 0,
        });
        await trial.with(visit, { topic, clientId: throwAwayClientId() });
        return ok("the broker does what a worker relies on");
      } catch (error) {
        if (
          error instanceof BrokerUnsuitableError ||
          error instanceof PublishError
        ) {
          // Whatever else was found would not be what it seems.
          await examination[Symbol.asyncDispose]();
          delete (known as Known).examination;
          return failed(error.message, "With this broker no worker starts.");
        }
        if (!(error instanceof ConnectionLostError)) throw error;
        if (attempt === ATTEMPTS) return unknown(error);
      } finally {
        await clear(broker, topic);
      }
    }
  },
});

function unknown({ message }: Error): Outcome {
  return failed(
    message,
    "A worker goes on trying until it knows that it can rely on the broker.",
  );
}

/** Whether a topic may be written and read. */
async function isOurs(
  topic: string,
  examination: Examination,
): Promise<boolean> {
  const mark = crypto.randomUUID();
  if (await examination.subscribe(topic, { qos: 1, retained: false }) >= 0x80) {
    return false;
  }
  const code = await examination.publish(marked(topic, mark));
  const isRead = code < 0x80 &&
    (await examination.returned(mark, RETURN_MS) ||
      // A broker may lose the mark.
      examination.arrivals((other) => other === topic).length > 0);
  await examination.unsubscribe(topic);
  return isRead;
}

/** An empty message that every worker passes over. */
function marked(topic: string, mark: string): Outgoing {
  const properties = { user: { [CHECK_PROPERTY]: mark } };
  return { topic, payload: "", qos: 1, properties };
}

/** Leaves nothing there; if that fails, the next worker that starts does it. */
async function clear(broker: Broker, topic: string): Promise<void> {
  try {
    await using examination = await Examination.open(broker, {
      clientId: throwAwayClientId(),
      sessionExpiry: 0,
      clean: true,
    });
    const message = marked(topic, "cleared");
    await examination.publish({ ...message, retain: true });
  } catch {
    // What is wrong with the broker is told already.
  }
}

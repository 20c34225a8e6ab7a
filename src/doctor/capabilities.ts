/**
 * What the broker offers, and how much of it.
 *
 * @module
 */
import { MAX_REQUEST_BYTES } from "../messages/task_request.ts";
import {
  AttemptError,
  CHECK_PROPERTY,
  Examination,
  type Offer,
} from "../mqtt/mod.ts";
import { throwAwayClientId } from "./attempt.ts";
import { defineCheck } from "./check.ts";
import { failed, ok, skipped, warning } from "./finding.ts";

/** Around a request of the largest size: its topic and its properties. */
const PACKET_MARGIN = 16 * 1024;

/** Whether the broker has what the worker cannot do without. */
export const features = defineCheck({
  id: "features",
  title: "features",
  needs: ["examination"],
  run({ examination: { offer } }) {
    const names: [string, (offer: Offer) => boolean][] = [
      ["shared subscriptions", ({ shared }) => shared],
      ["retained messages", ({ retain }) => retain],
      ["wildcard subscriptions", ({ wildcards }) => wildcards],
      ["QoS 1", ({ maximumQos }) => maximumQos >= 1],
    ];
    const lacking = names.filter(([, has]) => !has(offer)).map(([name]) =>
      name
    );
    if (lacking.length === 0) return ok(names.map(([name]) => name).join(", "));
    return failed(
      `the broker offers no ${lacking.join(", no ")}`,
      "Switch it on there (mosquitto: max_qos, retain_available), or use a broker that has it.",
    );
  },
});

/** Whether sessions are kept for as long as the configuration asks. */
export const sessions = defineCheck({
  id: "sessions",
  title: "sessions",
  needs: ["examination", "broker", "loaded"],
  async run({ broker, loaded }) {
    const asked = loaded.config.mqtt.session_expiry;
    if (asked === 0) {
      return ok(
        "not asked for",
        "With mqtt.session_expiry: 0, what is published while no worker is connected is lost.",
      );
    }
    // One without a subscription, so that nothing gathers in it.
    const clientId = throwAwayClientId();
    const first = await Examination.open(broker, {
      clientId,
      sessionExpiry: asked,
      clean: true,
    });
    const granted = first.offer.sessionExpiry ?? asked;
    await first[Symbol.asyncDispose]();
    const again = await Examination.open(broker, {
      clientId,
      sessionExpiry: 0,
      clean: false,
    }).catch((error) => {
      if (error instanceof AttemptError) return null;
      throw error;
    });
    const kept = again?.offer.sessionPresent === true;
    await again?.[Symbol.asyncDispose]();
    if (!kept) {
      return warning(
        "the broker forgets a session when its connection ends",
        "What is published while no worker is connected is lost: let the broker keep persistent sessions.",
      );
    }
    if (granted < asked) {
      return warning(
        `the broker keeps sessions for ${granted} s only, and ${asked} s were asked for`,
        `What is published while all workers are away for longer is lost. Raise the broker's limit, or set mqtt.session_expiry: ${granted}.`,
      );
    }
    return ok(`kept for ${asked} s, as asked`);
  },
});

/** What the broker's own limits mean for tasks. */
export const limits = defineCheck({
  id: "limits",
  title: "limits",
  needs: ["examination", "topics"],
  async run({ examination }) {
    const { maximumPacketSize, receiveMaximum } = examination.offer;
    const found = `${receiveMaximum} unanswered messages at once; packets of ${
      maximumPacketSize === undefined
        ? "any size"
        : `at most ${maximumPacketSize} bytes`
    }`;
    const version = await examination.lookUp("$SYS/broker/version");
    const name = version && new TextDecoder().decode(version.payload);
    const unseen = /mosquitto/i.test(name ?? "")
      ? `${name} does not tell its max_queued_messages: set it to 0. With its default, 1000, it drops what is more and tells nobody.`
      : "A limit on the messages that it queues for one client cannot be seen from here; it should be none, or high.";
    const needed = MAX_REQUEST_BYTES + PACKET_MARGIN;
    if (maximumPacketSize !== undefined && maximumPacketSize < needed) {
      return warning(
        `larger requests cannot be sent: ${found}`,
        `A request may have ${MAX_REQUEST_BYTES} bytes. If yours are large, raise the broker's limit to ${needed} (mosquitto: max_packet_size).`,
        unseen,
      );
    }
    return ok(found, unseen);
  },
});

/** Whether a retained message is kept, found and cleared. */
export const retained = defineCheck({
  id: "retained",
  title: "retained messages",
  needs: ["examination", "topics"],
  async run({ examination, topics, nobody }) {
    // Of all topics that are retained, this one is watched by nobody, and it is
    // that of no worker. Should we be killed in between, it expires.
    const topic = topics.record(nobody, nobody);
    const payload = JSON.stringify({ ansible_worker_check: nobody });
    const keep = (text: string) =>
      examination.publish({
        topic,
        payload: text,
        qos: 1,
        retain: true,
        properties: { expirySeconds: 60, user: { [CHECK_PROPERTY]: nobody } },
      });
    const code = await keep(payload);
    if (code >= 0x80) {
      return skipped(`needs the right to write "${topic}"`);
    }
    const found = await examination.lookUp(topic);
    await keep("");
    const left = await examination.lookUp(topic);
    if (!found || new TextDecoder().decode(found.payload) !== payload) {
      return failed(
        "a retained message was not kept, or may not be read",
        `Look at the broker's settings for retained messages, and at the access rules for "${topic}".`,
      );
    }
    return left === null ? ok("kept, found and cleared") : failed(
      "a retained message was not cleared",
      "The broker must forget a retained message when an empty one is published.",
    );
  },
});

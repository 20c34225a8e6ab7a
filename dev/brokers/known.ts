/**
 * What is known to fail, and why. Each entry is a promise that is not kept yet,
 * or one that the broker makes impossible; the list is to be empty.
 *
 * @module
 */
import { SCENARIOS } from "./scenarios/mod.ts";

const ONE_QOS =
  "a request that does not come at QoS 2 is passed over without a word";
const CLIENT_IDS =
  "client ids have no topic prefix in them, so both workers have the same";
const GRANTED_LESS =
  "a shared subscription is granted QoS 1, and what comes at less than QoS 2 is passed over";
const NO_ORDER =
  "retained messages come after the SUBACK, and are not waited for";
const BAD_PUBACK =
  "the broker answers with PUBACK 0x01, which MQTT does not have (3.4.2.1); the worker waits and does not say so";
const BROKER_STOPS =
  "the broker's router ends (group must exists) when the last member of a shared subscription goes that has messages unanswered";

/** The reasons, by broker and by scenario. */
export const KNOWN: Readonly<
  Record<string, Readonly<Record<string, string>>>
> = {
  mosquitto: {
    "requests at QoS 0": ONE_QOS,
    "requests at QoS 1": ONE_QOS,
    "two topic prefixes": CLIENT_IDS,
  },
  hivemq: { ...everywhere(GRANTED_LESS), "300 tasks are listed": NO_ORDER },
  mochi: everywhere(BAD_PUBACK, { except: "300 tasks are listed" }),
  rumqttd: {
    "300 tasks are listed": NO_ORDER,
    "kill and return": BROKER_STOPS,
    "gone for good": BROKER_STOPS,
    "connection cut": BROKER_STOPS,
    "two topic prefixes": `${CLIENT_IDS}; ${BROKER_STOPS}`,
  },
};

/** One reason for all scenarios, or for all but one. */
function everywhere(
  reason: string,
  { except }: { except?: string } = {},
): Record<string, string> {
  return Object.fromEntries(
    SCENARIOS.filter(({ name }) => name !== except)
      .map(({ name }) => [name, reason]),
  );
}

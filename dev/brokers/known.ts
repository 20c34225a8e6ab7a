/**
 * What is known to fail, and why: a fault of the broker itself, against the
 * clause that is named.
 *
 * @module
 */
import { SCENARIOS } from "./scenarios/mod.ts";

const BAD_PUBACK =
  "the broker answers messages with user properties with PUBACK 0x01, which MQTT does not have (3.4.2.1); the worker says so, and does not start";
const RETAINED_ONCE =
  "the broker sends no retained message to who subscribes again (against 3.8.4-3); the worker says so, and does not start";

/** The reasons, by broker and by scenario. */
export const KNOWN: Readonly<
  Record<string, Readonly<Record<string, string>>>
> = {
  mochi: everywhere(BAD_PUBACK, { except: "300 tasks are listed" }),
  rumqttd: everywhere(RETAINED_ONCE, { except: "300 tasks are listed" }),
};

/** One reason for all scenarios but one, which has no worker in it. */
function everywhere(
  reason: string,
  { except }: { except: string },
): Record<string, string> {
  return Object.fromEntries(
    SCENARIOS.filter(({ name }) => name !== except)
      .map(({ name }) => [name, reason]),
  );
}

/**
 * Which promise falls under which profile of brokers, and why. Nothing else may
 * fall; and what does not fall any more has to go from here.
 *
 * @module
 */
import type { PromiseName } from "./oracle.ts";
import type { ProfileName } from "./profiles.ts";

/** What falls under a profile, and why. */
type Known = Readonly<Partial<Record<PromiseName, string>>>;

/** By profile. */
export const KNOWN_FAILURES: Readonly<Partial<Record<ProfileName, Known>>> = {
  bridged: {
    stays:
      "a worker does not start where user properties are lost, which MQTT 5 has everybody pass on [MQTT-3.3.2-17]",
  },
};

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
export const KNOWN_FAILURES: Readonly<Partial<Record<ProfileName, Known>>> = {};

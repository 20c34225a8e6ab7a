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

const UNASKED =
  "what a worker had ready when it lost the connection goes out before it knows whether the task is still its own";
const OVERWRITTEN =
  "a worker that goes between publishing queued and seeing it come back has overwritten what stood there, and does not put it back";
const LATE =
  "a retained message that comes late is taken for none: who has a task, and what a dead worker had claimed, is not seen";
const GONE =
  "a task that waits is only with the broker, which has lost the session that had it";
const FORGOTTEN =
  "what the broker has acknowledged and forgotten is not put right: a status that is older stands, and what has run is run again";
const UNORDERED = "messages are answered when tasks start, in any order";
const EXPIRES_LATE = "a final status expires after 30 days, 2,592,000 s";
const UNRECOGNISED =
  "a worker does not see that a status is its own, and waits for it for ever";

const RETURNS =
  "a worker that comes back while its adopter begins takes the adopter in its session for a rival with its id, or what the adopter has refused for a task that is still to run";

/** By profile. */
export const KNOWN_FAILURES: Readonly<Partial<Record<ProfileName, Known>>> = {
  restarted: { "ends once": UNASKED, "is told truly": UNASKED },
  slow: {
    "ends once": OVERWRITTEN,
    "is told truly": OVERWRITTEN,
    stands: OVERWRITTEN,
  },
  crossing: {
    stands: OVERWRITTEN,
    stays: RETURNS,
    "ends once": RETURNS,
    "is told truly": RETURNS,
  },
  expiring: {
    expires:
      "the broker drops the message of a task that waits for its worker's return, and nobody else knows of it",
  },
  cut_off: {
    "ends once": UNASKED,
    "is told truly": UNASKED,
    stands: UNASKED,
    ends: UNASKED,
    drains: UNASKED,
  },
  late_retained: {
    "ends once": LATE,
    "starts once": LATE,
    ends: LATE,
    "is told truly": LATE,
    stands: LATE,
    drains: LATE,
    "falls silent": LATE,
    stays: "the presence of the worker's last process comes late, as a rival's",
  },
  hivemq: {
    ends: "a share is granted QoS 1, and requests at QoS 1 are passed over",
    stays: "the presence of the worker's last process comes late, as a rival's",
  },
  drops: {
    ends:
      "unanswered messages are held up to Receive Maximum, and what comes beyond is dropped",
  },
  redistributes: {
    ends:
      "what a worker holds is given to another one without DUP, which takes it for a duplicate",
    "ends once": "the same; and whoever holds it still runs it",
    "is told truly": "the same; and whoever holds it still runs it",
    stands: "the same; and whoever holds it still runs it",
  },
  strict_order: {
    ends: UNORDERED,
    drains: UNORDERED,
    expires: UNORDERED,
    "ends once": UNORDERED,
    stands: UNORDERED,
  },
  short_expiry: {
    ends: EXPIRES_LATE,
    expires: EXPIRES_LATE,
  },
  low_qos: { ends: "requests at QoS 0 and 1 are passed over" },
  loses_sessions: {
    ends: GONE,
    "ends once": UNASKED,
    "is told truly": UNASKED,
    "starts once": GONE,
    stands: UNASKED,
    drains: GONE,
  },
  loses_everything: {
    stands: FORGOTTEN,
    ends: GONE,
    "starts once": FORGOTTEN,
    "ends once": FORGOTTEN,
    "is told truly": FORGOTTEN,
    drains: GONE,
  },
  forgets: {
    stands: FORGOTTEN,
    "ends once": FORGOTTEN,
    "starts once": FORGOTTEN,
    ends: FORGOTTEN,
    "is told truly": FORGOTTEN,
    drains: FORGOTTEN,
    stays: FORGOTTEN,
  },
  bridged: {
    ends: UNRECOGNISED,
    expires: UNRECOGNISED,
    stands: UNRECOGNISED,
    drains: UNRECOGNISED,
  },
};

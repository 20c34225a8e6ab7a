/**
 * All scenarios, in the order of the table.
 *
 * @module
 */
import { ALL_LISTED, CLIENT_COMMANDS } from "./clients.ts";
import { CONTRACT } from "./contract.ts";
import { BROKER_RESTART, CONNECTION_CUT, KILL_AND_RETURN } from "./faults.ts";
import { GONE_FOR_GOOD, TWO_PREFIXES, TWO_WORKERS } from "./group.ts";
import {
  AT_EACH_QOS,
  MANY_AT_ONCE,
  MESSAGE_EXPIRY,
  RESPONSE_TOPIC,
  WHEN_FULL_WAIT,
} from "./requests.ts";
import type { Scenario } from "./scenario.ts";

/** The rows of the table. */
export const SCENARIOS: readonly Scenario[] = [
  CONTRACT,
  ...AT_EACH_QOS,
  TWO_WORKERS,
  MANY_AT_ONCE,
  WHEN_FULL_WAIT,
  MESSAGE_EXPIRY,
  RESPONSE_TOPIC,
  CLIENT_COMMANDS,
  ALL_LISTED,
  KILL_AND_RETURN,
  GONE_FOR_GOOD,
  CONNECTION_CUT,
  BROKER_RESTART,
  TWO_PREFIXES,
];

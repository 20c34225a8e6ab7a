/**
 * All scenarios, in the order of the table.
 *
 * @module
 */
import { CONTRACT } from "./contract.ts";
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
  MANY_AT_ONCE,
  WHEN_FULL_WAIT,
  MESSAGE_EXPIRY,
  RESPONSE_TOPIC,
];

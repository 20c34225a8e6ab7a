/**
 * The exit codes of `submit`; see there.
 *
 * @module
 */

/** By what they mean. */
export const EXIT = {
  success: 0,
  maxOfAnsible: 99,
  failed: 100,
  cancelled: 101,
  timeout: 102,
  rejected: 103,
  notTaken: 104,
  connection: 105,
  usage: 106,
  left: 130,
} as const;

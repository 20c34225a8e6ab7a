/**
 * Exit codes that mean more than done or not.
 *
 * @module
 */

/**
 * Of the worker: its configuration is wrong, or the sandbox does not allow what
 * it needs. To start it again is of no use (EX_CONFIG of sysexits.h).
 */
export const EXIT_CONFIGURATION = 78;

/** Of `submit`, by what they mean; see there. */
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

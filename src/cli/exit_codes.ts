/**
 * Exit codes that mean more than done or not.
 *
 * @module
 */

import type { TaskStatus } from "../messages/task_status.ts";

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

/** Where nobody reads any more what is written: as by SIGPIPE. */
export const EXIT_NO_READER = 141;

/** What `submit` and `watch` end with when a task has. */
export function exitCodeOf({ state, return_code }: TaskStatus): number {
  switch (state) {
    case "success":
      return EXIT.success;
    case "cancelled":
      return EXIT.cancelled;
    case "timeout":
      return EXIT.timeout;
    default:
      return return_code !== null && return_code >= 1 &&
          return_code <= EXIT.maxOfAnsible
        ? return_code
        : EXIT.failed;
  }
}

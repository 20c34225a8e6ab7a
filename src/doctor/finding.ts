/**
 * What a check has found.
 *
 * @module
 */

/** How it looks. */
export type Status = "ok" | "warning" | "failed" | "skipped";

/** What one check has found. */
export interface Finding {
  /** Names the check. */
  readonly id: string;
  /** What was looked at, for a person. */
  readonly title: string;
  /** How it looks. */
  readonly status: Status;
  /** What was seen; of a problem, the cause in the first words. */
  readonly message: string;
  /** What to do; of what is ok, what is worth knowing. */
  readonly advice: readonly string[];
}

/** A finding without the name of its check. */
export type Outcome = Pick<Finding, "status" | "message" | "advice">;

/** All is well. */
export function ok(message: string, ...notes: string[]): Outcome {
  return { status: "ok", message, advice: notes };
}

/** The worker works, and something would go wrong in some case. */
export function warning(message: string, ...advice: string[]): Outcome {
  return { status: "warning", message, advice };
}

/** The worker does not start, or does not do what it is for. */
export function failed(message: string, ...advice: string[]): Outcome {
  return { status: "failed", message, advice };
}

/** It could not be looked at; the message says what that would need. */
export function skipped(message: string, ...advice: string[]): Outcome {
  return { status: "skipped", message, advice };
}

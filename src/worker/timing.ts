/**
 * What a worker takes its time for. Users cannot set it: the waits are a promise
 * to the group, which only holds while all its workers keep to the same ones.
 *
 * @module
 */

/** How long it waits, and how closely it looks. */
export interface Timing {
  /**
   * Seconds that the broker waits before it says that this worker is gone: the
   * Will Delay Interval (3.1.3.2.2).
   */
  willDelaySeconds: number;
  /** How long a worker that is gone has to come back, in milliseconds. */
  returnMs: number;
  /** How long each worker of the ring has to adopt, in milliseconds. */
  turnMs: number;
  /**
   * How often a broker is asked for one retained message at once, to see whether
   * it sends some of them late: one that seldom does is to be found out.
   */
  looksAtOnce: number;
}

/** What every worker keeps to. */
export const TIMING: Timing = {
  willDelaySeconds: 30,
  returnMs: 10_000,
  turnMs: 20_000,
  looksAtOnce: 40,
};

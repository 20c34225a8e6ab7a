/**
 * Times and durations. The page's script shows times in the reader's zone and
 * lets durations count; without it they stand in UTC, as they were.
 *
 * @module
 */
import { duration } from "../../client/durations.ts";

/** A time, ISO 8601. */
export function Time({ at }: { at: string }) {
  return (
    <time datetime={at}>
      {at.slice(0, 16).replace("T", " ")} UTC
    </time>
  );
}

/** A duration in seconds that is over; nothing for null. */
export function Duration({ seconds }: { seconds: number | null }) {
  return seconds === null
    ? <span class="num none">–</span>
    : <span class="num">{duration(seconds)}</span>;
}

/**
 * A duration that goes on.
 *
 * @param props `seconds` it was at the time `at`
 */
export function Counting({ seconds, at }: { seconds: number; at: string }) {
  return (
    <span class="num" data-count={String(seconds)} data-at={at}>
      {duration(seconds)}
    </span>
  );
}

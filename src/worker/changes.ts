/**
 * What is different in a configuration that was read again.
 *
 * @module
 */
import type { Config } from "../config/mod.ts";

/** Keys whose new values count without a restart. */
const AT_ONCE =
  /^(log_level|policy\..*|security\..*|worker\.(task_timeout|status_interval|publish_events|publish_output|output_limit))$/;

/** The keys that have changed and count only after a restart. */
export function waitingForRestart(before: Config, now: Config): string[] {
  return differences(before, now).filter((key) => !AT_ONCE.test(key));
}

/** The keys whose values differ, as `section.key`. */
function differences(a: object, b: object, prefix = ""): string[] {
  return [...new Set([...Object.keys(a), ...Object.keys(b)])].flatMap((key) => {
    const [x, y] = [a, b].map((side) => (side as Record<string, unknown>)[key]);
    if (x && y && typeof x === "object" && typeof y === "object") {
      return differences(x, y, `${prefix}${key}.`);
    }
    return x === y ? [] : [`${prefix}${key}`];
  });
}

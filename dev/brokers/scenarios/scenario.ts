/**
 * What is tried on every broker.
 *
 * @module
 */
import type { Settings } from "../kind.ts";
import type { Stage } from "../stage.ts";

/** A row of the table. */
export interface Scenario {
  name: string;
  /** How the broker is set; `recommended` if nothing is said. */
  settings?: Settings;
  /** Rejects if the promise is not kept. */
  run(stage: Stage): Promise<void>;
}

/** Names of tasks. */
export function many(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `t-${i}`);
}

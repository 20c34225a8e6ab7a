/**
 * A worker at one moment: what gauges and health are read from.
 *
 * @module
 */
import type { ContentState } from "../messages/presence.ts";

/**
 * What a worker is to its group: not there yet, ready for tasks, without one of
 * its connections, or leaving.
 */
export const STANDINGS = ["starting", "online", "offline", "draining"] as const;

/** A worker's two connections. */
export const CONNECTIONS = ["control", "intake"] as const;

/** One of the two. */
export type Connection = typeof CONNECTIONS[number];

/** A worker at one moment. */
export interface Readings {
  /** What it is to its group. */
  standing: typeof STANDINGS[number];
  /** Which connections are ready. */
  connected: Record<Connection, boolean>;
  /** How many tasks may run at once. */
  slots: number;
  /** Slots that no task is in. */
  freeSlots: number;
  /** Tasks in slots. */
  running: number;
  /** Tasks that wait for a slot. */
  queued: number;
  /** Deliveries that are not answered yet. */
  unanswered: number;
  /** Topics on which something is still to be acknowledged. */
  publishQueue: number;
  /** The version of ansible-core; "" before it is known. */
  ansibleVersion: string;
  /** Why no playbook could be run now; null if one could. */
  problem: string | null;
  /** Where playbooks from git stand; null where they do not come from there. */
  content: ContentState | null;
}

/** Before anything has happened. */
export const INITIAL_READINGS: Readings = {
  standing: "starting",
  connected: { control: false, intake: false },
  slots: 0,
  freeSlots: 0,
  running: 0,
  queued: 0,
  unanswered: 0,
  publishQueue: 0,
  ansibleVersion: "",
  problem: null,
  content: null,
};

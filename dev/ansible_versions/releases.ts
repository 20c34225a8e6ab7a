/**
 * The releases of ansible-core that the worker is tried on.
 *
 * @module
 */

/** A minor release, and the Pythons that its package says it is for. */
export interface Release {
  /** Such as `2.19`. */
  name: string;
  /** The second number of each Python, the newest first. */
  pythons: readonly number[];
}

/** One for each minor release, from the oldest that the worker is for. */
export const RELEASES: readonly Release[] = [
  { name: "2.14", pythons: [11, 10, 9] },
  { name: "2.15", pythons: [11, 10, 9] },
  { name: "2.16", pythons: [12, 11, 10] },
  { name: "2.17", pythons: [12, 11, 10] },
  { name: "2.18", pythons: [13, 12, 11] },
  { name: "2.19", pythons: [13, 12, 11] },
  { name: "2.20", pythons: [14, 13, 12] },
  { name: "2.21", pythons: [14, 13, 12] },
];

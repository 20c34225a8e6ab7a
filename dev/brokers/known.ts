/**
 * What is known to fail, and why. Each entry is a promise that is not kept yet,
 * or one that the broker makes impossible; the list is to be empty.
 *
 * @module
 */

/** The reasons, by broker and by scenario. */
export const KNOWN: Readonly<
  Record<string, Readonly<Record<string, string>>>
> = {};

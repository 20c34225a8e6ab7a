/**
 * What happened in a run, line by line, for whoever wants to know why it failed.
 *
 * @module
 */

/** One line. */
export interface StoryLine {
  /** Virtual time, in milliseconds. */
  at: number;
  /** Who did it, or sent it. */
  from: string;
  /** To whom it was sent, if it was sent. */
  to?: string;
  /** What. */
  what: string;
}

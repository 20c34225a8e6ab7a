/**
 * How branches, tags and commits are named.
 *
 * @module
 */
import { z } from "zod";

/**
 * A name that git takes for a branch or a tag (git-check-ref-format(1)), or a
 * commit; and none that git would take for an option, a range, or what is to be
 * found from another commit.
 */
export const GIT_NAME =
  /^(?![-/.])(?!.*(\.\.|@\{|\/\/|\/\.|\.lock(\/|$)))[^\p{Cc} ~^:?*[\\]*[^\p{Cc} ~^:?*[\\/.]$/u;

/** The longest such name that is taken, in characters. */
export const MAX_GIT_NAME = 200;

/** A tag, or a commit by its id, of which the first characters are enough. */
export const revisionSchema = z.string().max(MAX_GIT_NAME).regex(
  GIT_NAME,
  "must be the name of a tag, or a commit",
);

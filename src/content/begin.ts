/**
 * The first checkout, without which there is nothing to be run.
 *
 * @module
 */
import { fulfilledWithin } from "../deadline.ts";
import { Content, type ContentOptions, problemOf } from "./content.ts";

/** The first wait after an attempt that has failed, and the longest, in milliseconds. */
const WAIT_MS = { first: 5000, longest: 60_000 };

/**
 * Begins when there is a commit to be run, however long that takes.
 *
 * @param options.stopped settles when nobody waits for it any more
 * @param options.onProblem told of what goes wrong
 * @returns null if nobody waits for it any more
 */
export async function beginContent(
  options: ContentOptions & {
    stopped: Promise<unknown>;
    onProblem(problem: string): void;
  },
): Promise<Content | null> {
  const { content, onProblem, repository, stopped } = options;
  const stop = stopped.then(async () => {
    await repository[Symbol.asyncDispose]();
    return "stopped" as const;
  });
  for (let wait = WAIT_MS.first;;) {
    const begun = Content.begin(options);
    try {
      const first = await Promise.race([begun, stop]);
      if (first !== "stopped") return first;
      // It may have begun in the same moment.
      await (await begun.catch(() => null))?.[Symbol.asyncDispose]();
      return null;
    } catch (error) {
      onProblem(
        `no playbooks from git: ${problemOf(error, content)}; trying again`,
      );
    }
    if (await fulfilledWithin(wait, stop)) return null;
    wait = Math.min(2 * wait, WAIT_MS.longest);
  }
}

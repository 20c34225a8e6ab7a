/**
 * Processor time, as Linux counts it (proc(5)).
 *
 * @module
 */

/** The unit of times in /proc, on every Linux that Deno runs on. */
const TICKS_PER_SECOND = 100;

/**
 * Processor time of a process, and of its children that have ended, in seconds.
 *
 * @param pid a process id, or `self`
 */
export async function processorTime(
  pid: number | string,
): Promise<{ own: number; ended: number }> {
  const stat = await Deno.readTextFile(`/proc/${pid}/stat`);
  // The command stands in parentheses and may hold anything. Behind it, utime,
  // stime, cutime and cstime are the twelfth and the three that follow.
  const [user, system, endedUser, endedSystem] = stat
    .slice(stat.lastIndexOf(")") + 2).split(" ").slice(11, 15).map(Number);
  return {
    own: (user! + system!) / TICKS_PER_SECOND,
    ended: (endedUser! + endedSystem!) / TICKS_PER_SECOND,
  };
}

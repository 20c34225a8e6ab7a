/**
 * What is kept from one run of a developer's task to the next.
 *
 * @module
 */

/** A directory for it, of the user; it need not be there yet. */
export function cacheDirectory(name: string): string {
  const cache = Deno.env.get("XDG_CACHE_HOME") ??
    `${Deno.env.get("HOME")}/.cache`;
  return `${cache}/ansible-worker/${name}`;
}

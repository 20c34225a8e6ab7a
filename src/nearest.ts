/**
 * What somebody has probably meant by a name that there is not.
 *
 * @module
 */

/** How many letters have to be changed, added or taken away. */
export function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      next[j] = Math.min(
        row[j]! + 1,
        next[j - 1]! + 1,
        row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1),
      );
    }
    row = next;
  }
  return row[b.length]!;
}

/** Whether a name that is so far from another one may be a slip of it. */
export function isNear(far: number, name: string): boolean {
  return far <= Math.max(2, name.length / 3);
}

/** The nearest of some names; null if none is near. */
export function nearestOf(
  name: string,
  names: Iterable<string>,
): string | null {
  const [best] = Array.from(names, (other) => ({
    other,
    far: distance(name, other),
  })).sort((a, b) => a.far - b.far);
  return best && best.far < name.length && isNear(best.far, name)
    ? best.other
    : null;
}

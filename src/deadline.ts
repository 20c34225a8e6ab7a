/**
 * Waiting for so long, and no longer.
 *
 * @module
 */

/** Whether a promise is fulfilled within a time in milliseconds. */
export async function fulfilledWithin(
  ms: number,
  promise: Promise<unknown>,
): Promise<boolean> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), ms);
  });
  const done = promise.then(() => true, () => false);
  return await Promise.race([done, late]).finally(() => clearTimeout(timer));
}

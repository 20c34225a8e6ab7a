/**
 * Waiting for so long, and no longer.
 *
 * @module
 */

/**
 * Whether a promise is fulfilled in time; false if it rejects or is late. The
 * timer ends with the waiting. A process that has stood still for that long reads
 * what has come meanwhile before it calls it late.
 *
 * @param ms milliseconds
 */
export async function fulfilledWithin(
  ms: number,
  promise: Promise<unknown>,
): Promise<boolean> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => {
      timer = setTimeout(() => resolve(false), 0);
    }, ms);
  });
  const fulfilled = promise.then(() => true, () => false);
  return await Promise.race([fulfilled, late]).finally(() =>
    clearTimeout(timer)
  );
}

/** Whether a promise is fulfilled or rejected in time; see `fulfilledWithin()`. */
export function settledWithin(
  ms: number,
  promise: Promise<unknown>,
): Promise<boolean> {
  return fulfilledWithin(ms, promise.then(() => {}, () => {}));
}

/**
 * What a promise settles with, or an error if that is not in time. What it does
 * afterwards is nobody's concern.
 *
 * @param options.ms milliseconds
 * @param options.late the error of being late
 */
export async function inTime<T>(
  promise: Promise<T>,
  { ms, late }: { ms: number; late(): Error },
): Promise<T> {
  if (await settledWithin(ms, promise)) return await promise;
  throw late();
}

/** Settles after a time in milliseconds. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/**
 * Waiting with a bound, so that a test that waits for what never comes says
 * what it was.
 *
 * @module
 */

/**
 * How long a test waits for what has to come, in seconds. It is no promise of
 * the worker's: a machine that is busy with other things may be slow, and what
 * is fast on it is measured by `deno task bench`.
 */
export const PATIENCE = 120;

/** Settles like the promise, or rejects after a time. */
export async function within<T>(
  what: string | (() => string),
  promise: Promise<T>,
  seconds: number = PATIENCE,
): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      const text = typeof what === "string" ? what : what();
      reject(new Error(`waited ${seconds} s in vain for ${text}`));
    }, seconds * 1000);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Asks again and again until the answer is true. */
export async function until(
  what: string | (() => string),
  holds: () => boolean | Promise<boolean>,
  seconds: number = PATIENCE,
): Promise<void> {
  const end = performance.now() + seconds * 1000;
  while (!await holds()) {
    if (performance.now() > end) {
      const text = typeof what === "string" ? what : what();
      throw new Error(`waited ${seconds} s in vain for ${text}`);
    }
    await pause(0.02);
  }
}

/** Lets a time pass that a test is about. */
export function pause(seconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, seconds * 1000));
}

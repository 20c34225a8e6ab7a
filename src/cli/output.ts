/**
 * Writing to standard output and standard error.
 *
 * @module
 */

/**
 * Writes a text, whole. Where nobody reads it any more it is dropped: that is
 * no reason to stop a worker, or to end `--help | head` with an error.
 *
 * @returns whether somebody reads it
 */
export function print(
  to: { writeSync(data: Uint8Array): number },
  text: string,
): boolean {
  let data = new TextEncoder().encode(text);
  try {
    while (data.length > 0) data = data.subarray(to.writeSync(data));
    return true;
  } catch {
    // Nor is there a place left to say so.
    return false;
  }
}

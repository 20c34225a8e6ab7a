/**
 * Writing to standard output and standard error.
 *
 * @module
 */

/**
 * Writes a text, whole. Where nobody reads it any more it is dropped: that is
 * no reason to stop a worker, or to end `--help | head` with an error.
 */
export function print(
  to: { writeSync(data: Uint8Array): number },
  text: string,
): void {
  let data = new TextEncoder().encode(text);
  try {
    while (data.length > 0) data = data.subarray(to.writeSync(data));
  } catch {
    // Nor is there a place left to say so.
  }
}

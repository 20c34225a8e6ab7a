/**
 * The lines that a process of ours says.
 *
 * @module
 */

/** The longest line that is read, in characters; all are far shorter. */
const MAX_LINE_CHARACTERS = 4 * 1024 * 1024;

/** A process of ours has said something that is not of its protocol. */
export class ProtocolError extends Error {
  override name = "ProtocolError";
}

/**
 * Reads lines until the stream ends.
 *
 * @throws {ProtocolError} at a line that is too long
 */
export async function* readLines(
  stream: ReadableStream<Uint8Array>,
): AsyncGenerator<string> {
  let rest = "";
  for await (
    const text of stream.pipeThrough(
      new TextDecoderStream() as TransformStream<Uint8Array, string>,
    )
  ) {
    const lines = (rest + text).split("\n");
    rest = lines.pop()!;
    if ([rest, ...lines].some(({ length }) => length > MAX_LINE_CHARACTERS)) {
      throw new ProtocolError("a line is too long");
    }
    yield* lines;
  }
}

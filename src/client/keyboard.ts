/**
 * Asking a person for one key.
 *
 * @module
 */

/** A terminal's keys, read one by one; Ctrl-C goes on being a signal. */
export class Keyboard implements Disposable {
  /** Whether there is somebody to ask. */
  static get isAvailable(): boolean {
    return Deno.stdin.isTerminal();
  }

  /** From now on keys come without Enter. */
  constructor() {
    Deno.stdin.setRaw(true, { cbreak: true });
  }

  /** The next key; empty at the end of the input. */
  async key(): Promise<string> {
    const buffer = new Uint8Array(16);
    const count = await Deno.stdin.read(buffer).catch(() => null);
    return new TextDecoder().decode(buffer.subarray(0, count ?? 0));
  }

  /** The terminal is as it was. */
  [Symbol.dispose](): void {
    Deno.stdin.setRaw(false);
  }
}

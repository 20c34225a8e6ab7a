/**
 * The key that a client signs with, if it has one.
 *
 * @module
 */
import { KeyError, type SignedType } from "../messages/signed.ts";
import { readSigningKey, sign, type SigningKey } from "../messages/signing.ts";
import type { Topics } from "../messages/topics.ts";

/** How long a signature is good for, in seconds. */
const VALID_SECONDS: Record<SignedType, number> = {
  // A task that has not started by then is cancelled.
  "ansible-worker-request": 24 * 3600,
  "ansible-worker-cancel": 300,
};

/** Signs what a client publishes. */
export class Signature {
  readonly #key: SigningKey | null;

  private constructor(key: SigningKey | null) {
    this.#key = key;
  }

  /**
   * Reads the key.
   *
   * @param file undefined: nothing is signed
   * @throws {KeyError} it cannot be read, or is none
   */
  static async read(file: string | undefined): Promise<Signature> {
    if (file === undefined) return new Signature(null);
    let text;
    try {
      text = await Deno.readTextFile(file);
    } catch (error) {
      throw new KeyError(
        `--key: cannot read "${file}": ${(error as Error).message}`,
      );
    }
    try {
      return new Signature(await readSigningKey(text));
    } catch (error) {
      if (!(error instanceof KeyError)) throw error;
      throw new KeyError(`--key: "${file}" ${error.message}`);
    }
  }

  /** The message in its signature, or as it is. */
  async of(
    message: string,
    { type, topics, taskId }: {
      type: SignedType;
      topics: Topics;
      taskId: string;
    },
  ): Promise<string> {
    if (!this.#key) return message;
    return await sign(message, {
      key: this.#key,
      type,
      audience: topics.group,
      taskId,
      validSeconds: VALID_SECONDS[type],
    });
  }

  /** A cancel. */
  async ofCancel(
    taskId: string,
    { topics, reason }: { topics: Topics; reason?: string | undefined },
  ): Promise<string> {
    const message = reason === undefined ? "" : JSON.stringify({ reason });
    return await this.of(message, {
      type: "ansible-worker-cancel",
      topics,
      taskId,
    });
  }
}

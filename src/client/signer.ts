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
export class MessageSigner {
  readonly #key: SigningKey | null;

  private constructor(key: SigningKey | null) {
    this.#key = key;
  }

  /**
   * Reads the key.
   *
   * @param file undefined: nothing is signed
   * @param named by what it was named, for the message
   * @throws {KeyError} it cannot be read, or is none
   */
  static async read(
    file: string | undefined,
    named = "--key",
  ): Promise<MessageSigner> {
    if (file === undefined) return new MessageSigner(null);
    let text;
    try {
      text = await Deno.readTextFile(file);
    } catch (error) {
      throw new KeyError(
        `${named}: cannot read "${file}": ${(error as Error).message}`,
      );
    }
    try {
      return new MessageSigner(await readSigningKey(text));
    } catch (error) {
      if (!(error instanceof KeyError)) throw error;
      throw new KeyError(`${named}: "${file}" ${error.message}`);
    }
  }

  /** Signs a message; without a key it is returned as it is. */
  async sign(
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

  /** The payload of a cancel, signed if there is a key. */
  async signCancel(
    taskId: string,
    { topics, reason }: { topics: Topics; reason?: string | undefined },
  ): Promise<string> {
    const message = reason === undefined ? "" : JSON.stringify({ reason });
    return await this.sign(message, {
      type: "ansible-worker-cancel",
      topics,
      taskId,
    });
  }
}

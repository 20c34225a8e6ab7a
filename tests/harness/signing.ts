/**
 * A controller's keys, and messages signed with them.
 *
 * @module
 */
import {
  CompactSign,
  type CryptoKey,
  exportJWK,
  exportSPKI,
  generateKeyPair,
} from "jose";

/** A pair of keys. */
export class Signer {
  readonly id: string;
  readonly pem: string;
  readonly jwk: string;
  /** The private key, as keygen makes it. */
  readonly privateJwk: string;
  readonly #private: CryptoKey;

  private constructor(
    id: string,
    keys: {
      pem: string;
      jwk: string;
      privateJwk: string;
      privateKey: CryptoKey;
    },
  ) {
    this.id = id;
    this.pem = keys.pem;
    this.jwk = keys.jwk;
    this.privateJwk = keys.privateJwk;
    this.#private = keys.privateKey;
  }

  static async create(id: string): Promise<Signer> {
    const { publicKey, privateKey } = await generateKeyPair("Ed25519", {
      extractable: true,
    });
    return new Signer(id, {
      pem: await exportSPKI(publicKey),
      jwk: JSON.stringify(await exportJWK(publicKey)),
      privateJwk: JSON.stringify({
        ...await exportJWK(privateKey),
        kid: id,
        alg: "EdDSA",
        use: "sig",
      }),
      privateKey,
    });
  }

  /** A request or a cancel; `header` changes or, if undefined, removes fields. */
  async sign(
    message: string | Record<string, unknown>,
    options: {
      taskId: string;
      cancel?: boolean;
      header?: Record<string, unknown>;
    },
  ): Promise<string> {
    const now = Math.floor(Date.now() / 1000);
    const header: Record<string, unknown> = {
      alg: "EdDSA",
      kid: this.id,
      typ: options.cancel ? "ansible-worker-cancel" : "ansible-worker-request",
      aud: "ansible/test",
      sub: options.taskId,
      iat: now,
      exp: now + 300,
      ...options.header,
    };
    const text = typeof message === "string"
      ? message
      : JSON.stringify(message);
    return await new CompactSign(new TextEncoder().encode(text))
      .setProtectedHeader(
        JSON.parse(JSON.stringify(header)) as { alg: string },
      )
      .sign(this.#private);
  }
}

/**
 * Signing a request or a cancel; see `signed.ts` for what a signature says.
 *
 * @module
 */
import { CompactSign, type CryptoKey, importJWK, type JWK } from "jose";
import { KeyError, type SignedType } from "./signed.ts";

/** A private key, with its id. */
export interface SigningKey {
  /** By which the workers know it. */
  id: string;
  key: CryptoKey;
}

/**
 * Reads a private key as `ansible-worker keygen` makes it.
 *
 * @throws {KeyError} it is none
 */
export async function readSigningKey(text: string): Promise<SigningKey> {
  try {
    const jwk: JWK = JSON.parse(text);
    if (jwk.kty !== "OKP" || jwk.crv !== "Ed25519" || !jwk.d) throw new Error();
    const key = await importJWK(jwk, "EdDSA");
    if (!("type" in key) || key.type !== "private") throw new Error();
    if (typeof jwk.kid !== "string" || jwk.kid === "") {
      throw new KeyError("has no kid, the id by which the workers know it");
    }
    return { id: jwk.kid, key };
  } catch (error) {
    if (error instanceof KeyError) throw error;
    throw new KeyError(
      'is not a private key as "ansible-worker keygen" makes it (JWK)',
    );
  }
}

/**
 * Signs a message.
 *
 * @param options.audience `<prefix>/<group>`
 * @param options.validSeconds how long from now on the signature is good for
 * @returns a JWS in compact form
 */
export async function sign(
  message: string,
  { key, type, audience, taskId, validSeconds }: {
    key: SigningKey;
    type: SignedType;
    audience: string;
    taskId: string;
    validSeconds: number;
  },
): Promise<string> {
  const now = Math.floor(Date.now() / 1000);
  return await new CompactSign(new TextEncoder().encode(message))
    .setProtectedHeader({
      alg: "EdDSA",
      kid: key.id,
      typ: type,
      aud: audience,
      sub: taskId,
      iat: now,
      exp: now + validSeconds,
    })
    .sign(key.key);
}

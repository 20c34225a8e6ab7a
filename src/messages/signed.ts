/**
 * Signed messages: a JWS in compact form (RFC 7515) around a request or a
 * cancel, by Ed25519 (RFC 8037).
 *
 * The protected header says what the signature is good for, so that it can be
 * judged before anything of the message itself is looked at:
 *
 * | field | |
 * | --- | --- |
 * | `alg` | `EdDSA` or `Ed25519` |
 * | `kid` | the id of a trusted key |
 * | `typ` | `ansible-worker-request` or `ansible-worker-cancel` |
 * | `aud` | `<prefix>/<group>` |
 * | `sub` | the task id |
 * | `iat`, `exp` | seconds since 1970: from when and until when it is good |
 *
 * @module
 */
import {
  base64url,
  compactVerify,
  type CryptoKey,
  errors,
  importJWK,
  importSPKI,
  type JWK,
} from "jose";
import { z } from "zod";
import { MAX_REQUEST_BYTES, taskIdSchema } from "./task_request.ts";

/** What a signature is for. */
export type SignedType = "ansible-worker-request" | "ansible-worker-cancel";

/** The longest time that a signature may be good for, in seconds: seven days. */
export const MAX_VALID_SECONDS = 7 * 24 * 3600;

/** How far the clocks of two hosts may differ, in seconds. */
export const CLOCK_TOLERANCE_SECONDS = 60;

/** The largest signed message, in bytes: base64url adds a third. */
const MAX_SIGNED_BYTES = Math.ceil(MAX_REQUEST_BYTES * 4 / 3) + 8192;

const ALGORITHMS = ["EdDSA", "Ed25519"];

/** A file is not the public key that it should be; the message says why. */
export class KeyError extends Error {
  override name = "KeyError";
}

/** A signature that is good, or was until it expired. */
export interface Signature {
  /** Names this signature among all others. */
  readonly id: string;
  /** The task that it is for. */
  readonly taskId: string;
  /** When it was made, by the signer's clock. */
  readonly issuedAt: Date;
  /** Until when it is good. */
  readonly expiresAt: Date;
}

/** Why a message is not taken. */
export type SignatureReason =
  | "too_large"
  | "unsigned"
  | "bad_signature"
  | "wrong_audience"
  | "not_yet_valid";

/** What came of a signed message. */
export type Opened =
  | { ok: true; payload: Uint8Array; signature: Signature }
  | { ok: false; reason: SignatureReason; message: string };

/** The times of a header, which are whole or broken seconds since 1970. */
const secondsSchema = z.number().min(0).max(253_402_300_799);

const headerSchema = z.object({
  typ: z.string(),
  aud: z.union([z.string(), z.array(z.string()).max(100)]),
  sub: taskIdSchema,
  iat: secondsSchema,
  exp: secondsSchema,
});

/** The keys whose signatures count. */
export class TrustedKeys {
  readonly #keys: ReadonlyMap<string, CryptoKey>;

  private constructor(keys: ReadonlyMap<string, CryptoKey>) {
    this.#keys = keys;
  }

  /**
   * Reads keys.
   *
   * @param texts by key id: a public key as PEM (SPKI) or as JWK
   * @throws {KeyError} one of them is no such key
   */
  static async read(texts: Iterable<[string, string]>): Promise<TrustedKeys> {
    const keys = new Map<string, CryptoKey>();
    for (const [id, text] of texts) keys.set(id, await readPublicKey(text));
    return new TrustedKeys(keys);
  }

  /**
   * Checks a message, and takes it out of its signature. One whose time is over
   * is still opened: whether that matters depends on how it came here.
   *
   * @param options.audience `<prefix>/<group>`
   */
  async open(
    message: Uint8Array,
    options: { type: SignedType; audience: string; now?: Date },
  ): Promise<Opened> {
    if (message.length > MAX_SIGNED_BYTES) {
      return refuse(
        "too_large",
        `must be at most ${MAX_SIGNED_BYTES} bytes, and has ${message.length}`,
      );
    }
    if (!looksSigned(message)) {
      return refuse(
        "unsigned",
        "is not signed; this group takes only what a trusted key has signed (JWS, compact form; --key FILE with submit and cancel)",
      );
    }
    let payload: Uint8Array;
    let header: unknown;
    try {
      const verified = await compactVerify(
        message,
        ({ kid }) => {
          const key = kid === undefined ? undefined : this.#keys.get(kid);
          if (!key) {
            throw new KeyError("no trusted key has the id in its header");
          }
          return key;
        },
        { algorithms: ALGORITHMS },
      );
      payload = verified.payload;
      header = verified.protectedHeader;
    } catch (error) {
      return refuse("bad_signature", problemOf(error));
    }
    const read = headerSchema.safeParse(header);
    if (!read.success) {
      const [issue] = read.error.issues;
      return refuse(
        "bad_signature",
        `the field ${
          issue!.path.join(".")
        } of its header is missing or not valid`,
      );
    }
    const { typ, aud, sub, iat, exp } = read.data;
    if (typ !== options.type) {
      return refuse(
        "bad_signature",
        `the field typ of its header must be ${options.type}`,
      );
    }
    if (![aud].flat().includes(options.audience)) {
      return refuse(
        "wrong_audience",
        `it is not for this group: the field aud of its header must be ${options.audience}`,
      );
    }
    if (exp <= iat || exp - iat > MAX_VALID_SECONDS) {
      return refuse(
        "bad_signature",
        `the field exp of its header must be after iat, and at most ${MAX_VALID_SECONDS} s after it`,
      );
    }
    const now = (options.now ?? new Date()).getTime() / 1000;
    if (iat > now + CLOCK_TOLERANCE_SECONDS) {
      return refuse(
        "not_yet_valid",
        "it was made in the future; compare the clocks of the hosts",
      );
    }
    return {
      ok: true,
      payload,
      signature: {
        id: signatureOf(message),
        taskId: sub,
        issuedAt: new Date(iat * 1000),
        expiresAt: new Date(exp * 1000),
      },
    };
  }
}

function refuse(reason: SignatureReason, message: string): Opened {
  return { ok: false, reason, message };
}

/** Whether it has the form of a JWS: three parts of base64url. */
function looksSigned(message: Uint8Array): boolean {
  let dots = 0;
  for (const byte of message) {
    if (byte === 0x2e) dots++;
    else if (!isBase64Url(byte)) return false;
  }
  return dots === 2;
}

function isBase64Url(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39 || byte >= 0x41 && byte <= 0x5a ||
    byte >= 0x61 && byte <= 0x7a || byte === 0x2d || byte === 0x5f;
}

/**
 * The last part, in its one regular form: its last character has spare bits, so
 * the same signature can be written in several ways.
 */
function signatureOf(message: Uint8Array): string {
  const written = message.subarray(message.lastIndexOf(0x2e) + 1);
  return base64url.encode(base64url.decode(written));
}

/**
 * Reads the public half of an Ed25519 key.
 *
 * @throws {KeyError} it is none
 */
export async function readPublicKey(text: string): Promise<CryptoKey> {
  if (text.includes("PRIVATE KEY")) {
    throw new KeyError(
      "is a private key, which belongs to whoever signs; the worker needs the public one",
    );
  }
  let key: CryptoKey | Uint8Array;
  try {
    if (text.includes("-----BEGIN PUBLIC KEY-----")) {
      key = await importSPKI(text.trim(), "EdDSA");
    } else {
      const jwk: JWK = JSON.parse(text);
      if (jwk.d !== undefined) {
        throw new KeyError(
          "is a private key, which belongs to whoever signs; the worker needs the public one",
        );
      }
      if (jwk.kty !== "OKP" || jwk.crv !== "Ed25519") throw new Error();
      key = await importJWK(jwk, "EdDSA");
    }
    if (!("type" in key) || key.type !== "public") throw new Error();
    return key;
  } catch (error) {
    if (error instanceof KeyError) throw error;
    throw new KeyError(
      "is not a public Ed25519 key, neither as PEM (BEGIN PUBLIC KEY) nor as JWK",
    );
  }
}

/** What is wrong with a signature; nothing of the message gets into it. */
function problemOf(error: unknown): string {
  if (error instanceof KeyError) return error.message;
  if (error instanceof errors.JOSEAlgNotAllowed) {
    return "the field alg of its header must be EdDSA or Ed25519";
  }
  if (error instanceof errors.JOSENotSupported) {
    return "its header asks for something that is not supported";
  }
  if (error instanceof errors.JWSSignatureVerificationFailed) {
    return "its signature is not that of the key in its header";
  }
  return "it is not a valid JWS";
}

/**
 * `ansible-worker keygen`: a pair of keys to sign requests with.
 *
 * The sandbox lets nobody write a file, so both halves come out on standard
 * output, one at a time.
 *
 * @module
 */
import {
  exportJWK,
  exportSPKI,
  generateKeyPair,
  importJWK,
  type JWK,
} from "jose";
import { print } from "./output.ts";

/** Prints a new private key as JWK; returns the exit code. */
export async function keygen(id: string): Promise<number> {
  const { privateKey } = await generateKeyPair("Ed25519", {
    extractable: true,
  });
  const jwk = {
    ...await exportJWK(privateKey),
    kid: id,
    alg: "EdDSA",
    use: "sig",
  };
  print(Deno.stdout, JSON.stringify(jwk) + "\n");
  print(
    Deno.stderr,
    `This is the private key "${id}": keep it with whoever signs requests, readable by nobody else.\n` +
      `Its public half, for security.trusted_keys: ansible-worker keygen --public FILE\n`,
  );
  return 0;
}

/** Prints the public half of a private key as PEM; returns the exit code. */
export async function publicHalf(file: string): Promise<number> {
  let text: string;
  try {
    text = await Deno.readTextFile(file);
  } catch (error) {
    print(Deno.stderr, `Cannot read "${file}": ${(error as Error).message}\n`);
    return 1;
  }
  try {
    const { d: _, ...jwk } = JSON.parse(text) as JWK;
    const key = await importJWK({ ...jwk, ext: true }, "EdDSA");
    if (key instanceof Uint8Array) throw new TypeError();
    print(Deno.stdout, (await exportSPKI(key)).trimEnd() + "\n");
  } catch {
    print(
      Deno.stderr,
      `"${file}" is not a private key as "ansible-worker keygen" makes it (JWK)\n`,
    );
    return 1;
  }
  return 0;
}

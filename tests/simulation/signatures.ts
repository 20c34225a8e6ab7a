/**
 * A controller's key, and what is signed with it.
 *
 * @module
 */
import { readSigningKey, sign } from "../../src/messages/signing.ts";

/** Where the workers read the public key; there is no such file. */
export const KEY_FILE = "/simulation/key.jwk";

/** What they read there: a test vector of RFC 8037, appendix A. */
const PUBLIC = {
  kty: "OKP",
  crv: "Ed25519",
  x: "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
};
const PRIVATE = {
  ...PUBLIC,
  kid: "controller",
  d: "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
};

/** The id of the key. */
export const KEY_ID = PRIVATE.kid;

/** Puts the public key where it is read. */
export function installKey(): void {
  const real = Deno.readTextFile;
  Deno.readTextFile = (path, options) =>
    path === KEY_FILE
      ? Promise.resolve(JSON.stringify(PUBLIC))
      : real(path, options);
}

/** Signs a request or a cancel. */
export async function signed(
  message: string,
  options: {
    type: "ansible-worker-request" | "ansible-worker-cancel";
    audience: string;
    taskId: string;
  },
): Promise<string> {
  const key = await readSigningKey(JSON.stringify(PRIVATE));
  return await sign(message, { ...options, key, validSeconds: 3000 });
}

/**
 * From the configuration to the keys that requests must be signed with.
 *
 * @module
 */
import { TrustedKeys } from "../messages/signed.ts";
import type { Config } from "./schema.ts";

/**
 * The trusted keys, read from their files; null if none are configured, and
 * requests need not be signed.
 *
 * @throws {KeyError} one of them is no public key
 */
export async function trustedKeysOf(
  { security }: Pick<Config, "security">,
): Promise<TrustedKeys | null> {
  if (security.trusted_keys === undefined) return null;
  return await TrustedKeys.read(
    await Promise.all(
      security.trusted_keys.map(async ({ id, file }) =>
        [id, await Deno.readTextFile(file)] as [string, string]
      ),
    ),
  );
}

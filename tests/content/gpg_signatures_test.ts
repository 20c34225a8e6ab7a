/** Commits that are signed with GPG: whose count. */
import assert from "node:assert/strict";
import { GitRepository } from "../harness/git_repository.ts";

const VERIFY = new URL(
  "../../src/ansible/python/content/verify.sh",
  import.meta.url,
).pathname;

async function sh(
  command: string,
  { home, ...more }: {
    home: string;
    cwd?: string;
    env?: Record<string, string>;
  },
): Promise<{ success: boolean; said: string }> {
  const { success, stderr } = await new Deno.Command("sh", {
    args: ["-c", command],
    ...more,
    env: {
      ...more.env,
      HOME: home,
      GNUPGHOME: "",
      GIT_CONFIG_SYSTEM: "/dev/null",
    },
    stdin: "null",
    stdout: "null",
  }).output();
  return { success, said: new TextDecoder().decode(stderr) };
}

Deno.test({
  name: "a commit counts that is signed with one of the given keys of GPG",
  sanitizeOps: true,
  sanitizeResources: true,
  async fn(t) {
    const home = await Deno.makeTempDir();
    try {
      const keys = `${home}/trusted.asc`;
      const made = await sh(
        `umask 077; mkdir .gnupg; unset GNUPGHOME
for name in ann eve; do
  gpg --batch --quiet --pinentry-mode loopback --passphrase '' \\
    --quick-generate-key "$name@example.com" ed25519 sign never || exit
done
gpg --batch --quiet --armor --export ann@example.com > ${keys}
printf '#!/bin/sh\\nexec gpg --homedir ${home}/.gnupg "$@"\\n' > gpg
chmod +x gpg`,
        { home, cwd: home },
      );
      assert.ok(made.success, made.said);
      const repository = await GitRepository.create(`${home}/r.git`, {
        a: "1",
      });
      await repository.git("config", "gpg.program", `${home}/gpg`);
      const verify = (commit: string) =>
        sh(`unset GNUPGHOME; exec sh ${VERIFY}`, {
          home,
          cwd: repository.path,
          env: { COMMIT: commit, SIGNERS: keys },
        });
      const by = (name: string, n: string) =>
        repository.commit({ a: n }, `-S${name}@example.com`);

      await t.step("one of them", async () => {
        const { success, said } = await verify(await by("ann", "2"));
        assert.ok(success, said);
      });
      await t.step("another one that the user trusts", async () => {
        const { success, said } = await verify(await by("eve", "3"));
        assert.ok(!success);
        assert.match(said, /is not signed by a key of .*No public key/s);
      });
      await t.step("none", async () => {
        const { success, said } = await verify(
          await repository.commit({ a: "4" }),
        );
        assert.ok(!success);
        assert.match(said, /it has no signature/);
      });
      await t.step("one of them, of something else", async () => {
        const signed = await by("ann", "5");
        const forged = await sh(
          `git cat-file commit ${signed} | sed 's/^a change$/another one/' |
git hash-object -t commit -w --stdin > ${home}/forged`,
          { home, cwd: repository.path },
        );
        assert.ok(forged.success, forged.said);
        const commit = (await Deno.readTextFile(`${home}/forged`)).trim();
        assert.notEqual(commit, signed);
        const { success, said } = await verify(commit);
        assert.ok(!success);
        assert.match(said, /BAD signature/);
      });
    } finally {
      await sh("unset GNUPGHOME; gpgconf --kill all", { home });
      await Deno.remove(home, { recursive: true });
    }
  },
});

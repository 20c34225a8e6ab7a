import assert from "node:assert/strict";
import { load } from "../../src/config/mod.ts";
import { openToOthers } from "../../src/config/secret_files.ts";

/** A configuration in a directory of its own, and its secret files. */
async function loaded(
  text: string,
  modes: Record<string, number>,
): Promise<{ open: string[]; all: string[] }> {
  const directory = await Deno.makeTempDir();
  try {
    for (const [name, mode] of Object.entries(modes)) {
      const file = `${directory}/${name}`;
      await Deno.writeTextFile(file, name === "config.yaml" ? text : "x");
      await Deno.chmod(file, mode);
      // Where the group counts, the owner is not root.
      if (Deno.uid() === 0) await Deno.chown(file, 65_534, 65_534);
    }
    const { secretFiles } = await load(`${directory}/config.yaml`, {
      variables: () => ({ value: "from a variable" }),
    });
    const told = (files: typeof secretFiles) =>
      files.map(({ path, key }) => `${key} ${path.replace(directory, "")}`);
    return {
      open: told(await openToOthers(secretFiles)),
      all: told(secretFiles),
    };
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

const START = `
mqtt:
  host: broker
  username: worker
  password: "\${PASSWORD}"
  tls_enabled: true
  tls_client_cert: cert
  tls_client_key: key
worker: { group_name: g, worker_id: w, playbook_directory: . }
ansible:
  private_key_file: id
  vault_password_file: vault
  vault_identity_list: [other@other]
`;
const FILES = {
  "config.yaml": 0o644,
  cert: 0o644,
  key: 0o600,
  id: 0o600,
  vault: 0o600,
  other: 0o600,
};

Deno.test("openToOthers() finds nothing where nobody else may read", async () => {
  const { all, open } = await loaded(START, FILES);
  assert.deepEqual(all, [
    "mqtt.tls_client_key /key",
    "ansible.private_key_file /id",
    "ansible.vault_password_file /vault",
    "ansible.vault_identity_list /other",
  ]);
  assert.deepEqual(open, []);
});

for (
  const [what, name, mode, found] of [
    ["a key, by all", "key", 0o644, "mqtt.tls_client_key /key"],
    ["a key, by its group", "key", 0o640, "mqtt.tls_client_key /key"],
    ["a key, only by others", "key", 0o604, "mqtt.tls_client_key /key"],
    ["an SSH key, by its group", "id", 0o640, "ansible.private_key_file /id"],
    ["a vault password", "vault", 0o644, "ansible.vault_password_file /vault"],
    [
      "one of more vault passwords",
      "other",
      0o644,
      "ansible.vault_identity_list /other",
    ],
    ["a program that prints a password", "vault", 0o755, null],
    ["a configuration with no password in it", "config.yaml", 0o666, null],
  ] as const
) {
  Deno.test(`openToOthers() ${found ? "finds" : "passes over"} ${what}`, async () => {
    const { open } = await loaded(START, { ...FILES, [name]: mode });
    assert.deepEqual(open, found ? [found] : []);
  });
}

Deno.test("openToOthers() finds a configuration with a password in it", async () => {
  const text = START.replace('"${PASSWORD}"', "literal");
  assert.deepEqual((await loaded(text, FILES)).open, [
    "mqtt.password /config.yaml",
  ]);
  assert.deepEqual(
    (await loaded(text, { ...FILES, "config.yaml": 0o600 })).open,
    [],
  );
});

Deno.test("openToOthers() lets root give a file of its own to a group", async () => {
  const [shadow, passwd] = ["/etc/shadow", "/etc/passwd"].map((path) => ({
    path,
    key: "mqtt.tls_client_key",
  }));
  assert.deepEqual(await openToOthers([shadow!, passwd!]), [passwd]);
});

Deno.test("openToOthers() passes over a file that is not there", async () => {
  const missing = { path: "/no/such/file", key: "mqtt.tls_client_key" };
  assert.deepEqual(await openToOthers([missing]), []);
});

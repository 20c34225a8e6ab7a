/**
 * The files that runs need: playbooks, inventories, secrets.
 *
 * @module
 */
import { matchesGlob } from "node:path";
import { join } from "node:path/posix";
import { ownHome, problemOfPath } from "../config/mod.ts";
import { filesBelow } from "../files_below.ts";
import { defineCheck } from "./check.ts";
import { failed, ok, type Outcome, warning } from "./finding.ts";

/** How many files are looked at. */
const MAX_FILES = 2000;

/** The largest file that is looked into, in bytes. */
const MAX_BYTES = 1024 * 1024;

/** A play, or another playbook, as an item of the list that a playbook is. */
const PLAY =
  /^-?\s*["']?(hosts|(ansible\.builtin\.)?import_playbook)["']?\s*:/m;

/** Whether the playbooks can be read, and how many there are. */
export const playbooks = defineCheck({
  id: "playbooks",
  title: "playbooks",
  needs: ["loaded", "directories"],
  async run(known) {
    const { policy } = known.loaded.config;
    const directory = known.directories.playbookDirectory;
    const closed = await notReadable(directory, "worker.playbook_directory");
    if (closed) return closed;
    known.playbooks = directory;
    const found: string[] = [];
    const unreadable: string[] = [];
    let looked = 0;
    for await (const path of filesBelow(directory)) {
      if (!/\.ya?ml$/.test(path)) continue;
      if (++looked > MAX_FILES) break;
      try {
        const { size } = await Deno.stat(join(directory, path));
        if (size > MAX_BYTES) continue;
        const text = await Deno.readTextFile(join(directory, path));
        if (PLAY.test(text)) found.push(path);
      } catch {
        unreadable.push(path);
      }
    }
    if (unreadable.length > 0) {
      return failed(
        `cannot be read by the user that this runs as: "${
          join(directory, unreadable[0]!)
        }"${unreadable.length > 1 ? ` and ${unreadable.length - 1} more` : ""}`,
        "Let the worker's user read the playbooks (chmod, chgrp).",
      );
    }
    const more = looked > MAX_FILES ? " or more" : "";
    if (found.length === 0) {
      return warning(
        `no playbook in "${directory}"`,
        "Put the playbooks that may be asked for there, or set worker.playbook_directory.",
      );
    }
    const count = `${found.length}${more} in "${directory}"`;
    if (policy.playbooks === undefined) return ok(count);
    const allowed = found.filter((path) =>
      policy.playbooks!.some((pattern) => matchesGlob(path, pattern))
    );
    return allowed.length > 0
      ? ok(`${count}; policy.playbooks allows ${allowed.length}`)
      : warning(
        `policy.playbooks allows none of the ${count}`,
        `It has the patterns ${policy.playbooks.join(", ")}.`,
      );
  },
});

/** Whether ssh and Ansible have one home, and can use it. */
export const home = defineCheck({
  id: "home",
  title: "home",
  needs: [],
  async run() {
    const found = await ownHome();
    if (found === null) {
      return ok("not told by /etc/passwd, or that is hidden by the sandbox");
    }
    return found.problem === null
      ? ok(`"${found.path}", for ssh and for Ansible`)
      : failed(
        found.problem,
        `Let HOME be the home of ${found.user} (sudo --login; no Environment=HOME in a unit), or give the user a home that the service may use: usermod --home.`,
      );
  },
});

/** Whether the inventories can be read. */
export const inventories = defineCheck({
  id: "inventories",
  title: "inventories",
  needs: ["directories"],
  async run({ directories }) {
    const { inventoryDirectory, playbookDirectory } = directories;
    const closed = await notReadable(
      inventoryDirectory,
      "worker.inventory_directory",
    );
    if (closed) return closed;
    const isShared = inventoryDirectory === playbookDirectory;
    const unreadable = (await unreadableBelow(inventoryDirectory))
      // Of those the check of the playbooks has spoken.
      .filter((path) => !(isShared && /\.ya?ml$/.test(path)));
    if (unreadable.length > 0) {
      const [first] = unreadable;
      // Among playbooks there is much that is no inventory.
      return (isShared ? warning : failed)(
        `cannot be read by the user that this runs as: "${first}"${
          unreadable.length > 1 ? ` and ${unreadable.length - 1} more` : ""
        }`,
        "Let the worker's user read the inventories (chmod, chgrp).",
      );
    }
    return ok(
      isShared
        ? "in the playbook directory"
        : `"${inventoryDirectory}" can be read`,
    );
  },
});

/** Absolute paths below a directory that may not be read, as far as is looked. */
async function unreadableBelow(directory: string): Promise<string[]> {
  const found: string[] = [];
  let looked = 0;
  const closed = (path: string) => found.push(join(directory, path));
  for await (const path of filesBelow(directory, { closed })) {
    if (++looked > MAX_FILES) break;
    try {
      (await Deno.open(join(directory, path))).close();
    } catch (error) {
      if (error instanceof Deno.errors.PermissionDenied) closed(path);
    }
  }
  return found;
}

/** Whether what opens vaults and hosts can be read. */
export const secrets = defineCheck({
  id: "secrets",
  title: "secrets",
  needs: ["loaded"],
  async run({ loaded }) {
    const { ansible } = loaded.config;
    const key = ansible.private_key_file;
    const files = [
      ansible.vault_password_file,
      key,
      ...ansible.vault_identity_list.map((entry) =>
        entry.slice(entry.indexOf("@") + 1)
      ),
    ].filter((file) => file !== undefined);
    for (const file of files) {
      const problem = await problemOfPath(file, {
        kind: "file",
        directory: "/",
      });
      if (problem) {
        return failed(
          problem,
          "Let the worker's user read it, and nobody else.",
        );
      }
    }
    const mode = key === undefined ? 0 : (await Deno.stat(key)).mode ?? 0;
    if ((mode & 0o077) !== 0) {
      return warning(
        `private key open to others: ssh does not use "${key}"`,
        `chmod 600 ${key}`,
      );
    }
    const count = files.length + (ansible.vault_password === undefined ? 0 : 1);
    return ok(
      count === 0
        ? "Ansible is given none: no vault password and no private key"
        : `${count} configured; the files can be read`,
    );
  },
});

/** What is wrong with a directory that a key names; null if it can be read. */
async function notReadable(
  directory: string,
  key: string,
): Promise<Outcome | null> {
  const problem = await problemOfPath(directory, {
    kind: "directory",
    directory: "/",
  });
  return problem === null ? null : failed(
    problem,
    `Set ${key}, or let the worker's user read and enter it.`,
  );
}

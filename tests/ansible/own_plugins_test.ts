/**
 * What the launcher keeps of Ansible's own plugins hides nobody else's, and none
 * of its own that has changed.
 */
import assert from "node:assert/strict";
import { type Command, type Printed, PrintedRuns } from "../harness/printed.ts";
import { localHosts, Project } from "../harness/project.ts";
import { type Kind, KINDS, mark, ownPlugin, PLAYBOOK } from "./own_plugins.ts";

const options = { sanitizeOps: true, sanitizeResources: true };

/** Python would take a file for unchanged that has the same size and second. */
const ENV = { PYTHONDONTWRITEBYTECODE: "1" };

/** Writes a plugin of each kind, each by one step that makes a new file. */
async function writePlugins(
  project: Project,
  number: number,
  directoryOf: (kind: Kind) => string,
): Promise<void> {
  for (const kind of KINDS) {
    const { file, text } = ownPlugin(kind, number);
    const path = `${directoryOf(kind)}/${file}`;
    await project.write({ [`${path}.new`]: text });
    // The same second each time, whenever it is written.
    await Deno.utime(`${project.directory}/${path}.new`, 1e9, 1e9);
    await Deno.rename(
      `${project.directory}/${path}.new`,
      `${project.directory}/${path}`,
    );
  }
}

/** A play on all hosts, with what it does. */
function play(what: string): string {
  return `- hosts: all\n  gather_facts: false\n  ${what}\n`;
}

/** The kinds of which a run has taken the plugin with that number. */
function taken({ stdout }: Printed, number: number): Kind[] {
  return KINDS.filter((kind) => stdout.includes(mark(kind, number)));
}

function command(number: number, file = "site.yml"): Command {
  return {
    argv: ["--inventory=hosts", "--forks=1", "-v", "--", file],
    extraVars: { number },
  };
}

async function createProject(): Promise<Project> {
  return await Project.create({
    hosts: localHosts("h1"),
    "site.yml": PLAYBOOK,
  });
}

Deno.test({
  ...options,
  name:
    "plugins beside a playbook, in a role and in a collection are those that run: made, changed within a second, and removed while a launcher waits",
  async fn(t) {
    await using project = await createProject();
    await project.write({
      "role.yml": play("roles: [own]"),
      "roles/own/tasks/main.yml": "- debug: msg={{ 'text' | b64encode }}\n",
      "collections/ansible_collections/own/made/galaxy.yml":
        "namespace: own\nname: made\nversion: 1.0.0\n",
      "collection.yml": `- hosts: all
  gather_facts: false
  tasks:
    - own.made.debug: { msg: "{{ 'text' | own.made.b64encode }}" }
    - debug: { msg: "{{ lookup('own.made.env', 'HOME') }}" }
    - debug: { msg: one }
`,
    });
    await using runs = new PrintedRuns(project, ENV);
    await runs.ready();
    const beside = (kind: Kind) => `${kind}_plugins`;
    const role = (kind: Kind) => `roles/own/${kind}_plugins`;
    const collection = (kind: Kind) =>
      `collections/ansible_collections/own/made/plugins/${kind}`;
    const same = async (number: number, file?: string) => {
      const hand = await runs.byHand(command(number, file));
      assert.deepEqual(await runs.run(command(number, file)), hand);
      return hand;
    };
    await t.step("none", async () => {
      assert.deepEqual(taken(await same(0), 0), []);
    });
    for (const number of [1, 2]) {
      await t.step(`beside the playbook, ${number}`, async () => {
        await writePlugins(project, number, beside);
        const found = taken(await same(number), number);
        // The cache and the inventory are ready before a playbook is looked at.
        for (const kind of KINDS) {
          if (kind === "cache" || kind === "inventory") continue;
          assert.ok(found.includes(kind), `${kind} is not taken by hand`);
        }
      });
    }
    await t.step("removed", async () => {
      for (const kind of KINDS) {
        await Deno.remove(`${project.directory}/${beside(kind)}`, {
          recursive: true,
        });
      }
      assert.deepEqual(taken(await same(2), 2), []);
    });
    for (const number of [1, 2]) {
      await t.step(`in a role, ${number}`, async () => {
        await writePlugins(project, number, role);
        assert.notDeepEqual(taken(await same(number, "role.yml"), number), []);
      });
    }
    for (const number of [1, 2]) {
      await t.step(`in a collection, ${number}`, async () => {
        await writePlugins(project, number, collection);
        assert.notDeepEqual(
          taken(await same(number, "collection.yml"), number),
          [],
        );
      });
    }
  },
});

Deno.test({
  ...options,
  name: "plugins in the places that ansible.cfg names are those that run",
  async fn(t) {
    await using project = await createProject();
    await using runs = new PrintedRuns(project, ENV);
    const named = (kind: Kind) => `else/where/${kind}`;
    const settings = KINDS.map((kind) => `${kind}_plugins = ${named(kind)}\n`);
    await project.write({
      "ansible.cfg": `[defaults]\n${settings.join("")}`,
    });
    await runs.ready();
    for (const number of [1, 2]) {
      await t.step(`number ${number}`, async () => {
        await writePlugins(project, number, named);
        const hand = await runs.byHand(command(number));
        const ours = await runs.run(command(number));
        assert.deepEqual(ours, hand);
        const found = taken(hand, number);
        for (const kind of KINDS) {
          if (kind === "shell") continue;
          assert.ok(found.includes(kind), `${kind} is not taken by hand`);
        }
      });
    }
    assert.equal(runs.launchers, 1);
  },
});

Deno.test({
  ...options,
  name:
    "a plugin of Ansible's own that has changed since is loaded as it is, and one that has come is found",
  async fn(t) {
    await using project = await createProject();
    const package_ = await ansiblePackage();
    // A copy of Ansible's package that can be changed.
    const python = project.path("python");
    await Deno.mkdir(python);
    const copied = await new Deno.Command("cp", {
      args: ["-r", package_, `${python}/ansible`],
    }).output();
    assert.ok(copied.success);
    const env = { ...ENV, PYTHONPATH: python };
    await using runs = new PrintedRuns(project, env);
    const plugins = `${python}/ansible/plugins`;
    // What has just changed is not kept.
    await new Promise((resolve) => setTimeout(resolve, 2500));
    await runs.ready();
    const compare = async (file?: string) => {
      const hand = await runs.byHand(command(1, file));
      assert.deepEqual(await runs.run(command(1, file)), hand);
      return hand.stdout + hand.stderr;
    };
    /** Puts a file with other letters of the same number in a file's place. */
    const change = async (file: string, from: string, to: string) => {
      assert.equal(from.length, to.length);
      const path = `${plugins}/${file}`;
      const { mtime } = await Deno.stat(path);
      const text = await Deno.readTextFile(path);
      assert.ok(text.includes(from));
      await Deno.writeTextFile(`${path}.new`, text.replaceAll(from, to));
      await Deno.utime(`${path}.new`, mtime!, mtime!);
      await Deno.rename(`${path}.new`, path);
    };
    await t.step("as it was", async () => {
      assert.match(await compare(), /"msg": \[/);
    });
    await t.step("a plugin", async () => {
      await change("action/debug.py", "Hello world!", "Hello World!");
      assert.match(await compare(), /Hello World!/);
    });
    await t.step("a callback that prints", async () => {
      await change("callback/default.py", "PLAY RECAP", "PLAY recap");
      assert.match(await compare(), /PLAY recap/);
    });
    await t.step("a plugin that others import", async () => {
      await change("shell/powershell.py", "SHELL_FAMILY", "SHELL_FAMILI");
      await compare();
    });
    await t.step("a plugin that was not there", async () => {
      await Deno.writeTextFile(
        `${plugins}/vars/another.py`,
        `
from ansible.plugins.vars import BaseVarsPlugin

class VarsModule(BaseVarsPlugin):
    def get_vars(self, loader, path, entities, cache=True):
        return {"from_vars": "another"}
`,
      );
      assert.match(await compare(), /another/);
    });
    await t.step("a fragment of documentation", async () => {
      await change(
        "doc_fragments/default_callback.py",
        "display_ok_hosts",
        "display_OK_hosts",
      );
      await compare();
    });
    assert.equal(runs.launchers, 1);
    await t.step("the list of those that have moved or gone", async () => {
      await project.write({
        "gone.yml": play("tasks:\n    - bigip_facts:"),
      });
      assert.match(await compare("gone.yml"), /bigip_facts has been removed/);
      await change(
        "../config/ansible_builtin_runtime.yml",
        "bigip_facts has been removed",
        "bigip_facts has been REMOVED",
      );
      assert.match(await compare("gone.yml"), /bigip_facts has been REMOVED/);
    });
  },
});

Deno.test({
  ...options,
  name:
    "names of Ansible's own collection, and names that have moved, lead where they do by hand",
  async fn() {
    await using project = await createProject();
    await project.write({
      "here.yml": play(
        "tasks:\n    - ansible.builtin.ping:\n    - ansible.legacy.debug: msg={{ 'a' | ansible.builtin.b64encode }}",
      ),
      "moved.yml": play("tasks:\n    - docker_container: name=none"),
      "tombstone.yml": play("tasks:\n    - ansible.builtin.ec2_facts:"),
    });
    await using runs = new PrintedRuns(project, ENV);
    for (
      const [file, said] of [
        ["here.yml", /ok=2/],
        ["moved.yml", /docker_container/],
        ["tombstone.yml", /ec2_facts/],
      ] as const
    ) {
      const hand = await runs.byHand(command(1, file));
      assert.match(hand.stdout + hand.stderr, said);
      assert.deepEqual(await runs.run(command(1, file)), hand, file);
    }
    assert.equal(runs.launchers, 1);
  },
});

/** Where Ansible's package is. */
async function ansiblePackage(): Promise<string> {
  const { stdout } = await new Deno.Command("ansible-playbook", {
    args: ["--version"],
  }).output();
  return /ansible python module location = (.*)/.exec(
    new TextDecoder().decode(stdout),
  )![1]!;
}

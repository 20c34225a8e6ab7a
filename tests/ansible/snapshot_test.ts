/**
 * A launcher is a snapshot; a run must not be one. What the import has opened,
 * read, resolved or drawn is for each run what it would be by hand.
 */
import assert from "node:assert/strict";
import { Project } from "../harness/project.ts";
import { Runs } from "../harness/runs.ts";

const options = { sanitizeOps: true, sanitizeResources: true };

/** A play that says a word. */
function say(word: string): string {
  return `- hosts: all\n  gather_facts: false\n  tasks:\n    - debug: msg=${word}\n`;
}

/** Removes a tree, if it is there. */
async function remove(path: string): Promise<void> {
  await Deno.remove(path, { recursive: true }).catch(() => {});
}

Deno.test({
  ...options,
  name: "the directory that a link leads to now is the one that a run is in",
  async fn() {
    await using project = await Project.create();
    const current = project.path("current");
    const release = async (name: string) => {
      const directory = project.path(name);
      await Deno.mkdir(directory);
      await Deno.copyFile(`${project.directory}/hosts`, `${directory}/hosts`);
      await Deno.writeTextFile(`${directory}/say.yml`, say(name));
    };
    const swap = async (name: string) => {
      await Deno.symlink(project.path(name), `${current}.new`);
      await Deno.rename(`${current}.new`, current);
    };
    const expect = async (word: string) => {
      const { error_message, return_code, text } = await runs.run("say.yml");
      assert.equal(error_message, null);
      assert.equal(return_code, 0);
      assert.match(text, new RegExp(`"msg": "${word}"`));
    };
    await release("rel1");
    await swap("rel1");
    await using runs = await Runs.start(project, {
      playbookDirectory: current,
      inventoryDirectory: current,
    });
    await expect("rel1");
    await release("rel2");
    await swap("rel2");
    await expect("rel2");
    await remove(project.path("rel1"));
    await expect("rel2");
    // No link: the same name, and another directory.
    await remove(current);
    await release("current");
    await expect("current");
    await remove(current);
    await release("current");
    await expect("current");
    assert.deepEqual(runs.replaced, ["changed", "changed", "changed"]);
  },
});

/** Raises in a place that a file names; Python imports it before Ansible. */
const FAULT = `
import errno, os, random

FILE = os.path.join(os.path.dirname(__file__), "..", "fault")

def fault():
    try:
        with open(FILE) as file:
            return file.read()
    except OSError:
        return ""

def spoil(module, name, make):
    real = getattr(module, name, None)
    def spoilt(*args, **kwargs):
        if fault() == name:
            if name == "getcwd":
                os.remove(FILE)
            raise make(*args)
        return real(*args, **kwargs)
    if real is not None:
        setattr(module, name, spoilt)

def no_luck(name):
    return lambda *args: RuntimeError("no luck in " + name)

from ansible_worker_launcher import counters, run, supervisor, versions

for module, name in (
    (versions, "import_everything"), (versions, "take_as_data"),
    (counters, "install"), (run, "leave_at_the_end"), (random, "seed"),
    (os, "fork"), (os, "setsid"), (os, "getcwd"),
):
    spoil(module, name, no_luck(name))
spoil(os, "mkdir", lambda path, *args: OSError(
    errno.ENOSPC, os.strerror(errno.ENOSPC), path))
if fault() == "sitecustomize":
    raise RuntimeError("no luck in sitecustomize")
`;

Deno.test({
  ...options,
  name:
    "whatever is raised before ansible-playbook's own main fails the task, with its cause",
  async fn(t) {
    await using project = await Project.create({ "say.yml": say("hello") });
    const site = project.path("site");
    await Deno.mkdir(site);
    await Deno.writeTextFile(`${site}/sitecustomize.py`, FAULT);
    const file = project.path("fault");
    await using runs = await Runs.start(project, { env: { PYTHONPATH: site } });
    const works = async () => {
      const { error_message, text } = await runs.run("say.yml");
      assert.equal(error_message, null);
      assert.match(text, /"msg": "hello"/);
    };
    for (
      const place of [
        "take_as_data",
        "install",
        "leave_at_the_end",
        "seed",
        "fork",
        "setsid",
      ]
    ) {
      await t.step(place, async () => {
        await Deno.writeTextFile(file, place);
        const { error_message, text } = await runs.run("say.yml");
        assert.match(
          error_message!,
          new RegExp(`RuntimeError: no luck in ${place}`),
        );
        assert.doesNotMatch(text, /usage/);
        await remove(file);
        await works();
      });
    }
    await t.step("a directory cannot be made", async () => {
      const path = `${project.path("home")}/.ansible/tmp`;
      for (let time = 0; time < 2; time++) {
        await remove(path);
        await Deno.writeTextFile(file, "mkdir");
        const { error_message } = await runs.run("say.yml");
        assert.match(
          error_message!,
          /No space left on device: .*\/\.ansible\/tmp/,
        );
        await remove(file);
        await works();
      }
    });
    await t.step("in the import of a launcher", async () => {
      await Deno.writeTextFile(file, "import_everything");
      await project.write({ "ansible.cfg": "[defaults]\n" });
      for (let time = 0; time < 2; time++) {
        const { error_message, return_code } = await runs.run("say.yml");
        assert.equal(return_code, null);
        assert.match(
          error_message!,
          /RuntimeError: no luck in import_everything/,
        );
      }
      await remove(file);
      await works();
    });
    await t.step("while a launcher looks whether it is stale", async () => {
      await Deno.writeTextFile(file, "getcwd");
      const before = runs.replaced.length;
      // It happens once; whoever cannot look makes way for a new one.
      await works();
      assert.equal(runs.replaced.at(-1), "changed");
      assert.equal(runs.replaced.length, before + 1);
    });
    await t.step("in a sitecustomize of the user's: as by hand", async () => {
      await Deno.writeTextFile(file, "sitecustomize");
      await project.write({ "ansible.cfg": "[defaults]\n\n" });
      const { error_message, text } = await runs.run("say.yml");
      await remove(file);
      assert.equal(error_message, null);
      assert.match(text, /Error in sitecustomize.*no luck in sitecustomize/s);
    });
  },
});

Deno.test({
  ...options,
  name: "temporary directories that are gone are made again",
  async fn() {
    await using project = await Project.create({ "say.yml": say("hello") });
    await using runs = await Runs.start(project);
    const home = `${project.path("home")}/.ansible`;
    for (const path of [`${home}/tmp`, home, `${home}/tmp`]) {
      await remove(path);
      assert.equal((await runs.run("say.yml")).error_message, null);
    }
    await remove(`${home}/tmp`);
    await Deno.writeTextFile(`${home}/tmp`, "");
    const { error_message } = await runs.run("say.yml");
    assert.match(
      error_message!,
      /(File exists|Not a directory).*\/\.ansible\/tmp/,
    );
    await remove(`${home}/tmp`);
    assert.equal((await runs.run("say.yml")).error_message, null);
    assert.deepEqual(
      (await Array.fromAsync(Deno.readDir(`${home}/tmp`))).map(({ name }) =>
        name
      ),
      [],
    );
    assert.deepEqual(runs.replaced, []);
  },
});

Deno.test({
  ...options,
  name: "Ansible's log is the file of that name, and its warnings are in it",
  async fn() {
    await using project = await Project.create({ "say.yml": say("hello") });
    const directory = project.path("logs");
    const log = `${directory}/ansible.log`;
    await project.write({ "ansible.cfg": `[defaults]\nlog_path = ${log}\n` });
    await using runs = await Runs.start(project);
    const run = async () => {
      const { error_message, text } = await runs.run("say.yml");
      assert.equal(error_message, null);
      return text;
    };
    const lines = async (path: string) =>
      (await Deno.readTextFile(path)).match(/PLAY \[all\]/g)?.length ?? 0;
    // Its directory is not there: said, and in the output of each run.
    const warning = /\[WARNING\]: log file at .* is not writeable/;
    assert.match(await run(), warning);
    assert.match(await run(), warning);
    assert.equal(
      runs.log.filter((line) => /says at its start: .*WARNING/.test(line))
        .length,
      1,
    );
    await Deno.mkdir(directory);
    assert.doesNotMatch(await run(), warning);
    assert.equal(await lines(log), 1);
    await Deno.rename(log, `${log}.1`);
    await run();
    assert.deepEqual([await lines(log), await lines(`${log}.1`)], [1, 1]);
    await remove(log);
    await run();
    assert.equal(await lines(log), 1);
    await remove(directory);
    assert.match(await run(), warning);
  },
});

Deno.test({
  ...options,
  name:
    "what Ansible says of a configuration that it ignores is said as by hand",
  async fn() {
    await using project = await Project.create({
      "ansible.cfg": "[defaults]\nroles_path = elsewhere\n",
      "elsewhere/greet/tasks/main.yml": "- debug: msg=hello\n",
      "greet.yml": "- hosts: all\n  gather_facts: false\n  roles: [greet]\n",
    });
    await using runs = await Runs.start(project);
    assert.equal((await runs.run("greet.yml")).error_message, null);
    const warning = /world writable directory/;
    await Deno.chmod(project.directory, 0o777);
    for (let time = 0; time < 2; time++) {
      const { error_message, text } = await runs.run("greet.yml");
      assert.match(error_message!, /the role 'greet' was not found/i);
      assert.match(text.replace(/\s+/g, " "), warning);
    }
    assert.equal(runs.log.filter((line) => warning.test(line)).length, 1);
    assert.match(runs.ansible.said, warning);
    await Deno.chmod(project.directory, 0o755);
    const { error_message, text } = await runs.run("greet.yml");
    assert.equal(error_message, null);
    assert.doesNotMatch(text.replace(/\s+/g, " "), warning);
    assert.equal(runs.ansible.said, "");
  },
});

Deno.test({
  ...options,
  name: "numbers are drawn, and limits are, as in a run by hand",
  async fn() {
    await using project = await Project.create({
      "see.yml": `- hosts: all
  gather_facts: false
  tasks:
    - debug: msg="limit {{ lookup('pipe', 'ulimit -Sn') }} drawn {{ 99999999 | random }}"
`,
      "callback_plugins/identity.py": `
from ansible.plugins.callback import CallbackBase

class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "identity"

    def v2_playbook_on_task_start(self, task, is_conditional):
        print("uuid", task._uuid)
`,
    });
    await using runs = await Runs.start(project);
    const seen = [await runs.run("see.yml"), await runs.run("see.yml")].map(
      ({ text }) => ({
        limit: /limit (\d+)/.exec(text)![1],
        drawn: /drawn (\d+)/.exec(text)![1],
        uuid: /uuid (\S+)/.exec(text)![1],
      }),
    );
    assert.deepEqual(runs.replaced, []);
    assert.notEqual(seen[0]!.drawn, seen[1]!.drawn);
    assert.notEqual(seen[0]!.uuid, seen[1]!.uuid);
    assert.deepEqual(seen.map(({ limit }) => limit), ["1024", "1024"]);
  },
});

Deno.test({
  ...options,
  name: "what is installed after a launcher has started counts in the next run",
  async fn() {
    await using project = await Project.create({
      "ansible.cfg": "[defaults]\ncollections_path = collections\n",
      "own.yml":
        "- hosts: all\n  gather_facts: false\n  roles: [mine.own.greet]\n",
      "see.yml": `- hosts: all
  gather_facts: false
  tasks:
    - debug: msg="{{ 1 | see }}"
`,
      "filter_plugins/see.py": `
import xmltodict

class FilterModule:
    def filters(self):
        return {"see": lambda value: xmltodict.VERSION}
`,
    });
    const site = project.path("site");
    await Deno.mkdir(site);
    // One of the modules that a launcher imports ahead of need.
    const module = `${site}/xmltodict.py`;
    await Deno.writeTextFile(module, 'VERSION = "first"\n');
    await using runs = await Runs.start(project, { env: { PYTHONPATH: site } });
    assert.match((await runs.run("see.yml")).text, /"msg": "first"/);
    await Deno.writeTextFile(module, 'VERSION = "second"\n');
    assert.match((await runs.run("see.yml")).text, /"msg": "second"/);
    assert.equal(runs.replaced.at(-1), "changed");
    assert.match((await runs.run("own.yml")).error_message!, /mine.own.greet/);
    const role = "collections/ansible_collections/mine/own/roles/greet/tasks";
    await project.write({ [`${role}/main.yml`]: "- debug: msg=hello\n" });
    assert.equal((await runs.run("own.yml")).error_message, null);
  },
});

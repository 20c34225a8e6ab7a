/**
 * Plugins of a user's own, one of each kind, that hide those of Ansible with the
 * same names; and a playbook that shows which of them a run has taken.
 *
 * @module
 */

/** The kinds. */
export const KINDS = [
  "action",
  "become",
  "cache",
  "callback",
  "connection",
  "filter",
  "inventory",
  "lookup",
  "shell",
  "strategy",
  "test",
  "vars",
] as const;

/** A kind of plugin. */
export type Kind = typeof KINDS[number];

/** A plugin by the path of its file: the class of Ansible's that it changes. */
const HEAD = `
import importlib.util, os
import ansible.plugins.KIND as package
from ansible.utils.display import Display

spec = importlib.util.spec_from_file_location(
    "hidden_KIND", os.path.join(os.path.dirname(package.__file__), "NAME.py"))
hidden = importlib.util.module_from_spec(spec)
spec.loader.exec_module(hidden)
DOCUMENTATION = getattr(hidden, "DOCUMENTATION", "")
MARK = "own-KIND-NUMBER"
`;

const PLUGINS: Record<Kind, { name: string; text: string }> = {
  action: {
    name: "debug",
    text: `
class ActionModule(hidden.ActionModule):
    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        return dict(result, msg=[MARK, result.get("msg")])
`,
  },
  become: {
    name: "sudo",
    text: `
class BecomeModule(hidden.BecomeModule):
    def build_become_command(self, cmd, shell):
        return "echo " + MARK + "; " + cmd
`,
  },
  cache: {
    name: "memory",
    text: `
class CacheModule(hidden.CacheModule):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        Display().display(MARK)
`,
  },
  callback: {
    name: "tree",
    text: `
from ansible.plugins.callback import CallbackBase

DOCUMENTATION = ""

class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "tree"

    def v2_playbook_on_stats(self, stats):
        self._display.display(MARK)
`,
  },
  connection: {
    name: "local",
    text: `
class Connection(hidden.Connection):
    def exec_command(self, cmd, in_data=None, sudoable=True):
        code, out, err = super().exec_command(cmd, in_data, sudoable)
        return code, MARK.encode() + b" " + out, err
`,
  },
  filter: {
    name: "core",
    text: `
class FilterModule(hidden.FilterModule):
    def filters(self):
        return dict(super().filters(), b64encode=lambda text: MARK)
`,
  },
  inventory: {
    name: "ini",
    text: `
class InventoryModule(hidden.InventoryModule):
    def parse(self, inventory, loader, path, cache=True):
        super().parse(inventory, loader, path, cache)
        for host in inventory.hosts:
            inventory.set_variable(host, "from_inventory", MARK)
`,
  },
  lookup: {
    name: "env",
    text: `
class LookupModule(hidden.LookupModule):
    def run(self, terms, variables=None, **kwargs):
        return [MARK]
`,
  },
  shell: {
    name: "sh",
    text: `
class ShellModule(hidden.ShellModule):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        Display().display(MARK)
`,
  },
  strategy: {
    name: "linear",
    text: `
class StrategyModule(hidden.StrategyModule):
    def run(self, iterator, play_context):
        Display().display(MARK)
        return super().run(iterator, play_context)
`,
  },
  test: {
    name: "core",
    text: `
class TestModule(hidden.TestModule):
    def tests(self):
        return dict(super().tests(), match=lambda text, other: other == MARK)
`,
  },
  vars: {
    name: "host_group_vars",
    text: `
class VarsModule(hidden.VarsModule):
    def get_vars(self, loader, path, entities, cache=True):
        return {"from_vars": MARK}
`,
  },
};

/** The file of a plugin, by its name, and its text with a number in it. */
export function ownPlugin(
  kind: Kind,
  number: number,
): { file: string; text: string } {
  const { name, text } = PLUGINS[kind];
  return {
    file: `${name}.py`,
    text: (HEAD + text)
      .replaceAll("KIND", kind)
      .replaceAll("NAME", name)
      .replaceAll("NUMBER", String(number)),
  };
}

/** What a run shows that has taken it. */
export function mark(kind: Kind, number: number): string {
  return `own-${kind}-${number}`;
}

/**
 * Shows which plugin of each kind it has taken: those of roles and of the
 * playbook are in effect only later than some of them are loaded.
 */
export const PLAYBOOK = `
- hosts: all
  gather_facts: false
  tasks:
    - debug:
        msg:
          - "{{ 'text' | b64encode }}"
          - "{{ 'own-' ~ 'test-' ~ number if 'text' is match('own-' ~ 'test-' ~ number) else 'none' }}"
          - "{{ lookup('env', 'HOME') }}"
          - "{{ from_inventory | default('none') }}"
          - "{{ from_vars | default('none') }}"
    - raw: echo said
      become: true
      become_user: "{{ lookup('pipe', 'id -un') }}"
      ignore_errors: true
    - debug:
    - command: echo done
      ignore_errors: true
    - ping:
      ignore_errors: true
`;

"""Where releases of ansible-core differ, or may come to differ."""

import atexit
import importlib
import os
import sys

# What a playbook run imports sooner or later; names that a release does not
# have are passed over.
MODULES = (
    "ansible.cli.playbook",
    "ansible.executor.playbook_executor",
    "ansible.executor.task_queue_manager",
    "ansible.executor.play_iterator",
    "ansible.executor.process.worker",
    "ansible.executor.task_executor",
    "ansible.executor.module_common",
    "ansible.executor.interpreter_discovery",
    "ansible.plugins.loader",
    "ansible.plugins.strategy.linear",
    "ansible.plugins.strategy.free",
    "ansible.plugins.callback.default",
    "ansible.plugins.connection.local",
    "ansible.plugins.connection.ssh",
    "ansible.plugins.shell.sh",
    "ansible.plugins.become.sudo",
    "ansible.plugins.action.normal",
    "ansible.plugins.action.gather_facts",
    "ansible.plugins.action.command",
    "ansible.plugins.action.shell",
    "ansible.plugins.action.copy",
    "ansible.plugins.action.template",
    "ansible.plugins.action.debug",
    "ansible.plugins.action.set_fact",
    "ansible.plugins.filter.core",
    "ansible.plugins.filter.mathstuff",
    "ansible.plugins.test.core",
    "ansible.plugins.test.mathstuff",
    "ansible.plugins.inventory.ini",
    "ansible.plugins.inventory.yaml",
    "ansible.plugins.inventory.host_list",
    "ansible.plugins.inventory.auto",
    "ansible.plugins.inventory.script",
    "ansible.plugins.inventory.constructed",
    "ansible.plugins.vars.host_group_vars",
    "ansible.plugins.cache.memory",
    "ansible.parsing.yaml.dumper",
    "ansible.template",
    "jinja2.ext",
    "smtplib",
    # What connection plugins import, all of which every run loads.
    "paramiko",
    "pypsrp.powershell",
    "requests",
    "winrm.exceptions",
    "winrm.protocol",
    "xmltodict",
)


def import_everything():
    """Imports what a run needs."""
    importlib.import_module(MODULES[0])
    by_hand = set(sys.modules)
    for name in MODULES[1:]:
        try:
            importlib.import_module(name)
        except ImportError:
            continue
    # Ansible takes a plugin that is imported already for whichever one it has
    # found under that name, so a user's own `action_plugins/debug.py` would be
    # passed over. What they import stays; the plugins are loaded when found.
    for name in set(sys.modules) - by_hand:
        if (name.startswith("ansible.plugins.") and name.count(".") > 2
                and not hasattr(sys.modules[name], "__path__")):
            del sys.modules[name]


def ansible_version():
    from ansible.release import __version__

    return __version__


def made_from():
    """What a process that has imported Ansible depends on: its release, and the
    files where it looks for its configuration. Only the first of these counts
    for Ansible, but that may come to be another one."""
    from ansible import release

    files = [
        release.__file__,
        os.environ.get("ANSIBLE_CONFIG", ""),
        os.path.join(os.environ.get("ANSIBLE_CONFIG", ""), "ansible.cfg"),
        os.path.abspath("ansible.cfg"),
        os.path.expanduser("~/.ansible.cfg"),
        "/etc/ansible/ansible.cfg",
    ]
    marks = []
    for file in files:
        try:
            stat = os.stat(file)
            marks.append((file, stat.st_mtime_ns, stat.st_size, stat.st_ino))
        except OSError:
            marks.append((file,))
    return marks


def give_up_local_tmp():
    """Removes the temporary directory that the import has made for this
    process, in which no run takes place.

    :returns: the directory that it stood in
    """
    from ansible import constants
    from ansible.utils.path import cleanup_tmp_file

    atexit.unregister(cleanup_tmp_file)
    tmp = constants.DEFAULT_LOCAL_TMP
    try:
        os.rmdir(tmp)
    except OSError:
        pass
    return os.path.dirname(tmp)


def use_local_tmp(path):
    """Gives this run a temporary directory of its own."""
    from ansible import constants

    constants.DEFAULT_LOCAL_TMP = path


def as_data(extra_vars):
    """Wraps variables so that no text in them is ever a template."""
    return {"__ansible_unsafe": extra_vars}


def run_no_inventory_programs():
    """Takes out the inventory plugin that runs what is executable."""
    from ansible import constants

    constants.INVENTORY_ENABLED = [
        name for name in constants.INVENTORY_ENABLED
        if name not in ("script", "ansible.builtin.script")
    ]


def add_vault_password(password):
    """Adds a secret for the default vault id to those that Ansible sets up."""
    from ansible import constants
    from ansible.cli import CLI
    from ansible.parsing.vault import VaultSecret

    set_up = CLI.setup_vault_secrets
    secret = (constants.DEFAULT_VAULT_IDENTITY, VaultSecret(password.encode()))

    def set_up_with_ours(loader, *args, **kwargs):
        secrets = [*(set_up(loader, *args, **kwargs) or []), secret]
        loader.set_vault_secrets(secrets)
        return secrets

    CLI.setup_vault_secrets = staticmethod(set_up_with_ours)

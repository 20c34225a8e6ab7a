"""The inventory of a run: read in whole, or the run fails.

Ansible passes over what it cannot read or parse, with a warning, and goes on
with the hosts that are left, or with none. Nobody sees that in a status.
"""

import os

from . import versions


def install(run_programs):
    """Wraps what reads an inventory.

    :param run_programs: whether programs among its files are run
    """
    from ansible import constants
    from ansible.errors import AnsibleError
    from ansible.inventory.manager import InventoryManager

    parse_source = InventoryManager.parse_source
    fetch_plugins = InventoryManager._fetch_inventory_plugins
    scripts = ("script", "ansible.builtin.script")
    refuses_programs = not run_programs and any(
        name in scripts for name in constants.INVENTORY_ENABLED)
    # How deep in directories we are, and why plugins have parsed nothing.
    depth = 0
    reasons = []

    def checked_parse_source(self, source, *args, **kwargs):
        nonlocal depth
        # A list of hosts has a comma, and so may a path.
        if "," not in source or os.path.lexists(source):
            problem = unreadable(source) or (
                program(source) if refuses_programs else None)
            if problem:
                raise AnsibleError('inventory "%s" %s' % (source, problem))
        if depth == 0:
            reasons.clear()
        depth += 1
        try:
            parsed = parse_source(self, source, *args, **kwargs)
        finally:
            depth -= 1
        if not parsed and depth == 0:
            raise AnsibleError(": ".join((
                'inventory "%s" has nothing in it that could be parsed' % source,
                *(["; ".join(dict.fromkeys(reasons))] if reasons else []))))
        return parsed

    cached = False

    def told_plugins(self, *args, **kwargs):
        nonlocal cached
        if not cached:
            cached = True
            versions.make_inventory_cache()
        plugins = fetch_plugins(self, *args, **kwargs)
        for plugin in plugins:
            plugin.parse = told(plugin)
        return plugins

    def told(plugin):
        parse = plugin.parse

        def told_parse(*args, **kwargs):
            try:
                return parse(*args, **kwargs)
            except Exception as error:
                lines = str(error).strip().splitlines() or [type(error).__name__]
                reasons.append("%s plugin: %s" % (
                    getattr(plugin, "_load_name", "a"), lines[0]))
                raise

        return told_parse

    InventoryManager.parse_source = checked_parse_source
    InventoryManager._fetch_inventory_plugins = told_plugins
    if not run_programs:
        constants.INVENTORY_ENABLED = [
            name for name in constants.INVENTORY_ENABLED if name not in scripts]


def unreadable(path):
    """Why a path cannot be read; None if it can."""
    try:
        if os.path.isdir(path):
            os.listdir(path)
        elif os.path.isfile(path) or not os.path.exists(path):
            open(path, "rb").close()
    except OSError as error:
        return "cannot be read: %s" % error.strerror
    return None


def program(path):
    """What to say of a path that is executable; None if it is not."""
    if os.path.isfile(path) and os.access(path, os.X_OK):
        return ("is a program; only policy.inventories can allow one; or, if it "
                "is none, chmod -x it")
    return None

"""What a process that has imported Ansible was made from.

A run by hand would look at all of it now. What a launcher has looked at before
is therefore looked at again when a task comes; if anything is different, the
launcher leaves, and the task gets a new one. Ansible's own plugins, roles and
collections are looked for in the run itself.
"""

import os
import sys

from . import versions


class MadeFrom:
    """Made before the import: what changes while that goes on has changed."""

    def __init__(self):
        self.looks = [(here, None)]
        self.looks += [(state, path) for path in (
            *versions.configuration_files(), *map(os.path.abspath, sys.path),
            "/etc/localtime")]
        self.seen = self.look()

    def imported(self):
        """Adds what the import has come across."""
        more = [(state, module.__file__) for module in list(sys.modules.values())
                if isinstance(getattr(module, "__file__", None), str)]
        more += [(os.path.isdir, path) for path in versions.collection_paths()]
        log = versions.log_path()
        if log:
            more += [(writable, log), (writable, os.path.dirname(log))]
        more += [(state, versions.plugin_filters()),
                 (state, versions.routing_file())]
        self.looks += more
        self.seen += [look(path) for look, path in more]

    def changed(self):
        """Whether a run by hand would find something else now. Who cannot look
        has no reason to believe that it would not."""
        try:
            return self.look() != self.seen
        except Exception:
            return True

    def look(self):
        return [look(path) for look, path in self.looks]


def state(path):
    """What changes when a file is written, replaced or made; or a directory,
    when something comes into it or leaves it."""
    try:
        found = os.stat(path)
    except OSError as error:
        return error.errno
    return (found.st_dev, found.st_ino, found.st_mode, found.st_uid,
            found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def here(_):
    """The working directory, whatever comes into it or leaves it. Ansible
    ignores the configuration in one that everybody may write to."""
    found = os.stat(".")
    return os.getcwd(), found.st_dev, found.st_ino, found.st_mode, found.st_uid


def writable(path):
    """Where Ansible asks before it opens its log."""
    return (os.path.exists(path), os.path.isdir(path), os.access(path, os.W_OK))

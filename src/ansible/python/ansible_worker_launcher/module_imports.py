"""What Ansible's module utilities import, found out once by the launcher.

A run sends each module with all that it imports, and parses every source for
that: two to three dozen for most modules, a hundred for facts. A source that is
byte for byte one that was parsed before imports what it did then. Sources are
parsed by a process beside the waiting launcher; until that is through, runs
parse for themselves.
"""

import hashlib
import marshal
import os
import select
import signal
import warnings

from . import versions

PR_SET_PDEATHSIG = 1
PR_SET_NAME = 15

# A launcher that has waited so long for a task has time for the search.
IDLE_SECONDS = 2

# By the name of the module, whether it is a package, and the digest of its
# source: the modules that it imports, and those that it can do without.
_found = {}
_digests = set()


def digest(source):
    return hashlib.blake2b(source, digest_size=16).digest()


def is_known(source):
    """Whether a source was parsed before, and so can be."""
    return isinstance(source, bytes) and digest(source) in _digests


def imports_of(name, is_package, source):
    """What is known of a module; None for nothing.

    :returns: two sets of names, as tuples
    """
    if not isinstance(source, bytes):
        return None
    found = _found.get((name, bool(is_package), digest(source)))
    return found and tuple(map(set, found))


class Search:
    """The process that parses, and what it finds."""

    def __init__(self, libc):
        self.libc = libc
        self.fd = None
        self.data = b""
        self.has_begun = False

    def begin(self):
        self.has_begun = True
        self.fd, writing = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                self.libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
                # As ps and top show it.
                self.libc.prctl(PR_SET_NAME, b"module-imports", 0, 0, 0)
                os.nice(10)
                null = os.open(os.devnull, os.O_RDWR)
                for fd in (0, 1, 2):
                    os.dup2(null, fd)
                with os.fdopen(writing, "wb") as pipe:
                    pipe.write(marshal.dumps(search()))
            finally:
                os._exit(0)
        os.close(writing)

    def wait_for_input(self):
        """Comes back when there is something on stdin."""
        if not self.has_begun:
            if select.select([0], [], [], IDLE_SECONDS)[0]:
                return
            self.begin()
        while self.fd is not None:
            ready, _, _ = select.select([0, self.fd], [], [])
            if self.fd in ready:
                self.read()
            if 0 in ready:
                return

    def read(self):
        data = os.read(self.fd, 1 << 20)
        self.data += data
        if data:
            return
        self.close()
        try:
            os.waitpid(self.pid, 0)
        except ChildProcessError:
            # It was taken leave of.
            pass
        if self.data:
            _found.update(marshal.loads(self.data))
            _digests.update(key[2] for key in _found)
            self.data = b""

    def close(self):
        if self.fd is not None:
            os.close(self.fd)
            self.fd = None


def search():
    """Parses Ansible's module utilities."""
    from ansible import module_utils

    root = os.path.dirname(module_utils.__file__)
    found = {}
    for directory, _, files in os.walk(root):
        parts = os.path.relpath(directory, root).split(os.sep)
        package = ["ansible", "module_utils"] + [p for p in parts if p != "."]
        for file in files:
            base, extension = os.path.splitext(file)
            if extension != ".py":
                continue
            is_package = base == "__init__"
            name = ".".join(package if is_package else [*package, base])
            try:
                with open(os.path.join(directory, file), "rb") as opened:
                    source = opened.read()
                with warnings.catch_warnings():
                    # What Python says of a source, a run says, too.
                    warnings.simplefilter("error")
                    imports = versions.find_imports(name, is_package, source)
            except Exception:
                continue
            if imports is not None:
                found[name, is_package, digest(source)] = imports
    return found

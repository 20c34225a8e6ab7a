"""Removes what killed runs have left in Ansible's temporary directories.

A run that is killed together with its worker removes nothing: a module with its
arguments, secrets among them, stays where ``remote_tmp`` says, if the host is
this one, and what Ansible itself has made where ``local_tmp`` says. The names of
what it makes there have the process that made it. What is removed is this
user's, was there before the worker was started, belongs to a process that is
gone, and is in no command line of a process that is there: an asynchronous job,
or what another controller runs here as this user.
"""

import os
import pwd
import re
import shutil
import stat
import time

from . import versions

# By ansible.plugins.action and ansible.config.manager.
_MADE_BY_RUNS = re.compile(
    r"ansible-tmp-[0-9.]+-(?P<pid>\d+)-\d+|ansible-local-(?P<local>\d+)[a-z0-9_]{8}"
)


def remove():
    """Looks, and removes; what cannot be looked at or removed stays.

    Ansible is asked in a process of its own: what it loads to answer would be
    old when a run comes.
    """
    worker = os.getppid()
    pid = os.fork()
    if pid:
        os.waitpid(pid, 0)
        return
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.dup2(nowhere, 2)
        _remove(worker)
    finally:
        os._exit(0)


def _remove(worker):
    try:
        if versions.keeps_remote_files():
            return
        started = _started(worker)
        found = [path for directory in _directories()
                 for path in _leftovers(directory, started)]
        if not found:
            return
        lines = _command_lines()
        for path in found:
            name = os.path.basename(path).encode()
            if not any(name in line for line in lines):
                shutil.rmtree(path, ignore_errors=True)
    except (OSError, KeyError):
        # There is no /proc here, or no such user.
        pass


def _stat(pid):
    """What proc(5) lists of a process, from its state on."""
    with open("/proc/%d/stat" % pid) as file:
        return file.read().rpartition(")")[2].split()


def _started(pid):
    """When a process was started, in seconds since 1970."""
    ticks = int(_stat(pid)[19])
    with open("/proc/uptime") as file:
        uptime = float(file.read().split()[0])
    return time.time() - uptime + ticks / os.sysconf("SC_CLK_TCK")


def _is_there(pid):
    try:
        os.kill(pid, 0)
        # Not one that has ended, and that nobody has asked for yet.
        return _stat(pid)[0] != "Z"
    except PermissionError:
        # Somebody else's, which need not be seen in /proc.
        return True
    except (ProcessLookupError, FileNotFoundError):
        return False


def _directories():
    local, remote = versions.temporary_directories()
    # Modules of a local run go to the home of passwd, whatever HOME is.
    user = pwd.getpwuid(os.geteuid()).pw_name
    homes = ("~", "~" + user) if remote.startswith("~/") else ("",)
    # The variables are the shell's to put in, which makes the directory.
    return {local, *(os.path.expandvars(os.path.expanduser(
        home + remote.removeprefix("~"))) for home in homes)}


def _leftovers(directory, before):
    try:
        names = os.listdir(directory)
    except OSError:
        return
    for name in names:
        match = _MADE_BY_RUNS.fullmatch(name)
        if not match:
            continue
        path = os.path.join(directory, name)
        try:
            found = os.lstat(path)
        except OSError:
            continue
        if (stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid()
                and found.st_mtime < before
                and not _is_there(int(match["pid"] or match["local"]))):
            yield path


def _command_lines():
    lines = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open("/proc/%s/cmdline" % name, "rb") as file:
                    lines.append(file.read())
            except OSError:
                # It is gone.
                pass
    return lines

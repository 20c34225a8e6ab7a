"""The processes of this machine, as /proc shows them."""

import os
import pwd
import re
import signal


def kill(pid, number):
    try:
        os.kill(pid, number)
    except (ProcessLookupError, PermissionError):
        pass


def descendants(root):
    """The processes that descend from one, without it and without zombies."""
    children = {}
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open("/proc/%s/stat" % name, "rb") as file:
                stat = file.read()
        except OSError:
            continue
        # The command stands in parentheses and may hold anything.
        fields = stat[stat.rindex(b")") + 2:].split()
        children.setdefault(int(fields[1]), []).append(
            (int(name), fields[0]))
    found = []
    queue = [root]
    while queue:
        for pid, state in children.get(queue.pop(), ()):
            queue.append(pid)
            if state not in (b"Z", b"X"):
                found.append(pid)
    return found


# An SSH master goes on in the background, and says where others find it.
MASTER = re.compile(rb"ssh: (.+) \[mux\]")
CONNECTED = "03"


def control_path(pid):
    """The socket of an SSH master (``ControlPersist``) of this user; None if a
    process is none."""
    try:
        if os.stat("/proc/%d" % pid).st_uid != os.geteuid():
            return None
        with open("/proc/%d/cmdline" % pid, "rb") as file:
            found = MASTER.fullmatch(file.read().rstrip(b"\0 "))
    except OSError:
        return None
    return found and os.fsdecode(found.group(1))


def end_master(pid):
    """Kills an SSH master that nobody is connected to."""
    path = control_path(pid)
    if path is None or is_connected(path):
        return
    # Stopped while we look again: who connects now, and gets no answer, makes a
    # connection of its own.
    kill(pid, signal.SIGSTOP)
    kill(pid, signal.SIGCONT if is_connected(path) else signal.SIGKILL)


def is_connected(path):
    """Whether somebody is connected to the socket of an SSH master."""
    with open("/proc/net/unix", encoding="utf-8", errors="replace") as file:
        for line in file:
            fields = line.split(None, 7)
            # It was made under a name with an ending, and renamed.
            if (len(fields) == 8 and fields[5] == CONNECTED
                    and re.fullmatch(re.escape(path) + r"(\.\w+)?",
                                     fields[7].rstrip("\n"))):
                return True
    return False


# How many processes are named.
MOST_NAMED = 10


def sentence_of(pids):
    """Who is left: ``2 processes of root are left: sudo (122), sleep (123)``;
    None if nobody is."""
    by_owner = {}
    for pid in pids:
        try:
            owner = os.stat("/proc/%d" % pid).st_uid
            with open("/proc/%d/comm" % pid, errors="replace") as file:
                name = file.read().rstrip("\n")
        except OSError:
            continue
        by_owner.setdefault(owner, []).append("%s (%d)" % (name, pid))
    return "; ".join(
        "%d process%s of %s left: %s" % (
            len(names), "" if len(names) == 1 else "es",
            name_of(owner) + (" is" if len(names) == 1 else " are"),
            ", ".join(names[:MOST_NAMED])
            + (", …" if len(names) > MOST_NAMED else ""))
        for owner, names in sorted(by_owner.items())) or None


def name_of(uid):
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return "user %d" % uid

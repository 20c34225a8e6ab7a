"""Imports Ansible once, and forks a run of it for each task.

It speaks one JSON object a line: ``run`` and ``end`` come in on stdin; ``ready``,
``stale`` and, from the supervisor of a run, ``event``, ``output`` and ``exit`` go
out on stdout.
"""

import ctypes
import gc
import json
import os
import signal
import sys
import time

from . import counters, ending, kept, leftovers, module_imports, processes, run, said, supervisor, versions
from .made_from import MadeFrom

PR_SET_PDEATHSIG = 1


def send(message):
    """Writes one message to the worker."""
    data = json.dumps(message).encode() + b"\n"
    while data:
        data = data[os.write(1, data):]


class Lines:
    """The lines of stdin, unbuffered where nobody waits for one."""

    def __init__(self):
        self.rest = b""

    def next(self):
        """The next line, or None at the end of the file."""
        while b"\n" not in self.rest:
            data = os.read(0, 1 << 16)
            if not data:
                return None
            self.rest += data
        line, self.rest = self.rest.split(b"\n", 1)
        return line


def launch(here):
    """Serves tasks until stdin ends. Returns only in a process that is to be
    ansible-playbook, with its arguments in place."""
    # A terminal's or a service manager's signals go to the whole group; what is
    # to end is for the worker to say.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    libc = ctypes.CDLL(None, use_errno=True)
    # What is imported stays, so nothing is looked for that could go.
    collects = gc.isenabled()
    gc.disable()
    made_from = MadeFrom()
    versions.import_everything()
    versions.take_over_extra_vars()
    kept.prepare(counters.callback_directories(here))
    versions.give_up_local_tmp()
    made_from.imported()
    text = said.end()
    leftovers.remove()
    gc.collect()
    gc.freeze()
    if collects:
        gc.enable()
    search = module_imports.Search(libc)
    versions.give_imports(module_imports.is_known, module_imports.imports_of)
    lines = Lines()
    # Should a supervisor be killed, what it watched over comes to us.
    libc.prctl(supervisor.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    left_alone = set()
    while True:
        send({
            "type": "ready",
            "ansible_version": versions.ansible_version(),
            "said": text,
        })
        job = next_job(lines, search)
        if job is None:
            os._exit(0)
        if is_stale(job, made_from):
            send({"type": "stale"})
            os._exit(0)
        pid = os.fork()
        if pid == 0:
            # The supervisor; it comes back from this call only in the run.
            try:
                search.close()
                libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
                outcome = supervisor.supervise(job, lines.rest, libc)
                if outcome is None:
                    run.become_playbook(job, here)
                    return
            except BaseException as error:
                ending.give_up(error)
            os._exit(outcome)
        lines.rest = b""
        status = wait_for(pid)
        left = set(processes.descendants(os.getpid()))
        if status != 0:
            end_all(left_alone)
            print("the supervisor of a run ended with status %d" % status,
                  file=sys.stderr, flush=True)
            os._exit(1)
        left_alone = left


def is_stale(job, made_from):
    """Whether a run by hand would be another one now. Enters the directory that
    runs take place in: its name may be a link, and lead elsewhere by now."""
    try:
        os.chdir(job["directory"])
    except OSError:
        if job["fresh"]:
            raise
        return True
    # What was made for this task is as new as a run by hand would be.
    return not job["fresh"] and made_from.changed()


def wait_for(pid):
    """Waits for a supervisor, and takes leave of whoever else has ended."""
    while True:
        ended, status = os.waitpid(-1, 0)
        if ended == pid:
            return status


def end_all(left_alone):
    """Kills what a supervisor that is gone has left, and nothing of what runs
    before have left behind on purpose."""
    until = time.monotonic() + 2
    while time.monotonic() < until:
        left = set(processes.descendants(os.getpid())) - left_alone
        if not left:
            return
        for pid in left:
            processes.kill(pid, signal.SIGKILL)
        time.sleep(0.02)


def next_job(lines, search):
    """The next task; an ``end`` that came too late is passed over."""
    while True:
        if not lines.rest:
            search.wait_for_input()
        line = lines.next()
        if line is None:
            return None
        message = json.loads(line)
        if message["type"] == "run":
            return message

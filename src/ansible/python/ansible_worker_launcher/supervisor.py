"""Watches over one run.

A process of its own for each run: as a child subreaper it inherits whatever the
run's processes leave behind, so its descendants are exactly those of the run,
background jobs that have made sessions of their own included.

The run is **going**; it is **ending** from the moment that somebody asks it to
(an ``end`` on stdin, the end of stdin because the worker is gone, SIGTERM
because the launcher is); it is **over** when its first process has ended, what
it wrote was read, and, if it was asked to end, nothing of it is left. Two things
may be: an SSH master that another run is connected through; and what cannot be
killed (a process of another user, or one that hangs in the kernel), which is
told.
"""

import errno
import fcntl
import json
import os
import selectors
import signal
import sys
import time

from . import processes
from .output import Output

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36

# How much may wait to be read by the worker before the run has to wait.
MOST_BUFFERED = 1 << 20
CHUNK = 1 << 16
# How long pipes that can wait are left alone after they were read, so that not
# every line of Ansible's wakes this process and the worker; and how long they
# are not after one was full, since then the run may have to wait for us.
REST_SECONDS = 0.05
NO_REST_SECONDS = 0.5
TAIL = 16384
# How long what is left of a run has between SIGTERM and SIGKILL at the most.
LAST_SECONDS = 1.0
# How long what was killed is waited for; and how long SSH masters have to see
# that the run is not connected to them any more.
KILLED_SECONDS = 1.0
MASTER_SECONDS = 0.5
# A program that reads what comes to its end.
FORGET = "import os\nwhile os.read(0, 1 << 16): pass"


def supervise(job, rest, libc):
    """Runs a job to its end.

    :param job: the ``run`` message
    :param rest: what was read of stdin behind it
    :returns: the exit status of this process; None in the run itself
    """
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    out_r, out_w = os.pipe()
    err_r, err_w = os.pipe()
    event_r, event_w = os.pipe()
    me = os.getpid()
    child = os.fork()
    if child == 0:
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, 0)
        os.dup2(out_w, 1)
        os.dup2(err_w, 2)
        for fd in (null, out_r, out_w, err_r, err_w, event_r):
            os.close(fd)
        os.setsid()
        # With its supervisor gone, nobody would end it.
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != me:
            os._exit(1)
        job["event_fd"] = event_w
        return None
    for fd in (out_w, err_w, event_w):
        os.close(fd)
    supervisor = Supervisor(job, child, rest)
    supervisor.watch(out_r, "stdout")
    supervisor.watch(err_r, "stderr")
    supervisor.watch(event_r, "event")
    return supervisor.loop()


class Supervisor:
    def __init__(self, job, child, rest):
        self.child = child
        self.status = None
        self.output = Output(job.get("output"), self.send)
        self.grace = job["kill_grace"]
        self.selector = selectors.DefaultSelector()
        self.names = {}
        self.tails = {"stdout": b"", "stderr": b""}
        self.events = b""
        # What is read may be out of order for as long as it is left alone, which
        # nobody sees unless it is what the run prints.
        self.patient = {"event"} if job.get("output") else {*self.tails, "event"}
        self.rest_until = self.no_rest_until = 0.0
        self.commands = rest
        self.outgoing = bytearray()
        self.reader_gone = False
        # Ending: when the run was asked to, and when it is to be killed.
        self.kill_at = None
        self.last_at = None
        # Since when there has been nothing but what was killed, or masters.
        self.killed_at = None
        self.masters_at = None
        # What cannot be killed, in a sentence.
        self.left = None
        self.woken_r, woken_w = os.pipe()
        for fd in (self.woken_r, woken_w):
            os.set_blocking(fd, False)
        signal.set_wakeup_fd(woken_w, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, lambda *_: self.end(False))
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)
        self.selector.register(self.woken_r, selectors.EVENT_READ)
        os.set_blocking(0, False)
        self.selector.register(0, selectors.EVENT_READ)
        os.set_blocking(1, False)
        self.writing = False

    def watch(self, fd, name):
        os.set_blocking(fd, False)
        try:
            fcntl.fcntl(fd, 1031, 1 << 18)  # F_SETPIPE_SZ
        except OSError:
            pass
        self.names[fd] = name

    # ---- the loop

    def loop(self):
        self.obey(b"")
        while True:
            self.listen()
            self.flush()
            for key, _ in self.selector.select(self.timeout()):
                if key.fd == self.woken_r:
                    self.drain_wakeups()
                elif key.fd == 0:
                    self.read_commands()
                elif key.fd in self.names:
                    self.rest(self.names[key.fd], self.read(key.fd))
            self.output.flush_in_time()
            self.reap()
            if self.is_over():
                break
        # A background process may write for ever.
        until = time.monotonic() + LAST_SECONDS
        for fd in list(self.names):
            while (fd in self.names and time.monotonic() < until
                    and self.read(fd)):
                if len(self.outgoing) > MOST_BUFFERED:
                    self.flush_all()
        self.output.finish()
        # None: it cannot be killed either.
        code = (None if self.status is None
                else os.waitstatus_to_exitcode(self.status))
        self.send({
            "type": "exit",
            "return_code": code if code is None or code >= 0 else None,
            "signal": -code if code is not None and code < 0 else None,
            "left": self.left,
            "stdout_tail": self.tail("stdout"),
            "stderr_tail": self.tail("stderr"),
        })
        self.flush_all()
        os.set_blocking(0, True)
        os.set_blocking(1, True)
        self.leave_open()
        return 0

    def leave_open(self):
        """Has somebody read what background processes go on printing, and forget
        it: they are left alone, and writing to nobody would end them."""
        for fd, name in self.names.items():
            if name == "event":
                continue
            os.set_blocking(fd, True)
            # Not a fork: it would keep all of Ansible in memory.
            os.posix_spawn(
                sys.executable, [sys.executable, "-IS", "-c", FORGET],
                os.environ, file_actions=[
                    (os.POSIX_SPAWN_DUP2, fd, 0),
                    (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
                    (os.POSIX_SPAWN_DUP2, 1, 2),
                ], setsid=True)

    def listen(self):
        """Listens to the pipes of the run, but to none while the worker has a
        lot to read, and not to those that are left alone."""
        full = len(self.outgoing) > MOST_BUFFERED
        resting = time.monotonic() < self.rest_until
        listened_to = self.selector.get_map()
        for fd, name in self.names.items():
            wanted = not full and not (resting and name in self.patient)
            if wanted and fd not in listened_to:
                self.selector.register(fd, selectors.EVENT_READ)
            elif not wanted and fd in listened_to:
                self.selector.unregister(fd)

    def rest(self, name, size):
        """Leaves the pipes that can wait alone for a moment, after one of them
        had so many bytes."""
        now = time.monotonic()
        if size >= CHUNK:
            self.no_rest_until = now + NO_REST_SECONDS
        elif size > 0 and name in self.patient and now > self.no_rest_until:
            self.rest_until = now + REST_SECONDS

    def resting(self):
        """Seconds until nothing is left alone any more; None if nothing is."""
        left = self.rest_until - time.monotonic()
        return left if left > 0 else None

    def timeout(self):
        waits = (self.output.wait(), self.resting(), self.ending())
        return min((w for w in waits if w is not None), default=None)

    def ending(self):
        """Seconds until an end is to be looked after; None if there is none."""
        if self.kill_at is None:
            return None
        return 0.02 if self.status is not None else max(
            0.02, min(0.2, self.kill_at - time.monotonic()))

    def drain_wakeups(self):
        try:
            while os.read(self.woken_r, 4096):
                pass
        except BlockingIOError:
            pass

    def reap(self):
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid == self.child:
                self.status = status

    # ---- from the worker

    def read_commands(self):
        try:
            data = os.read(0, CHUNK)
        except BlockingIOError:
            return
        if not data:
            # The worker is gone.
            self.selector.unregister(0)
            self.end(False)
            return
        self.obey(data)

    def obey(self, data):
        self.commands += data
        while b"\n" in self.commands:
            line, self.commands = self.commands.split(b"\n", 1)
            message = json.loads(line)
            if message["type"] == "end":
                self.end(message["immediately"])

    # ---- ending

    def end(self, immediately):
        """Asks the run to end; what is left after the grace time is killed."""
        now = time.monotonic()
        if self.kill_at is None:
            self.kill_at = now + self.grace
            if not immediately:
                # As Ctrl-C does: Ansible then ends its own workers.
                self.signal_group(signal.SIGINT)
        if immediately:
            self.kill_at = min(self.kill_at, now)

    def signal_group(self, number):
        try:
            os.killpg(self.child, number)
        except (ProcessLookupError, PermissionError):
            pass

    def is_over(self):
        """Whether the run has ended; ends what is left of one that is to."""
        if self.kill_at is None:
            return self.status is not None
        now = time.monotonic()
        if self.status is None and now < self.kill_at:
            return False
        found = processes.descendants(os.getpid())
        masters = [pid for pid in found if processes.control_path(pid)]
        left = [pid for pid in found if pid not in masters]
        if left and self.last_at is None and now < self.kill_at:
            # Ansible has ended in time; so may what it has left behind.
            self.last_at = min(self.kill_at, now + LAST_SECONDS)
            for pid in left:
                processes.kill(pid, signal.SIGTERM)
        elif left and now >= min(self.kill_at, self.last_at or self.kill_at):
            if self.killed_at is None:
                self.killed_at = now
            elif now > self.killed_at + KILLED_SECONDS:
                self.left = processes.sentence_of(left)
                return True
            # Stopped first: a process that is killed one by one could fork.
            for pid in left:
                processes.kill(pid, signal.SIGSTOP)
            for pid in processes.descendants(os.getpid()):
                if pid not in masters:
                    processes.kill(pid, signal.SIGKILL)
        if left or self.status is None:
            return False
        if self.masters_at is None:
            self.masters_at = now
        if not masters or now > self.masters_at + MASTER_SECONDS:
            return True
        for pid in masters:
            processes.end_master(pid)
        return False

    # ---- from the run, to the worker

    def read(self, fd):
        """Reads once from a pipe of the run, and returns how many bytes."""
        name = self.names[fd]
        try:
            data = os.read(fd, CHUNK)
        except BlockingIOError:
            return 0
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            data = b""
        if not data:
            del self.names[fd]
            try:
                self.selector.unregister(fd)
            except KeyError:
                pass
            os.close(fd)
            return 0
        if name == "event":
            self.events += data
            *lines, self.events = self.events.split(b"\n")
            for line in lines:
                self.outgoing += b'{"type":"event","event":' + line + b"}\n"
            return len(data)
        self.tails[name] = (self.tails[name] + data)[-TAIL:]
        self.output.add(name, data)
        return len(data)

    def tail(self, name):
        return self.tails[name].decode("utf-8", "replace")

    def send(self, message):
        self.outgoing += json.dumps(message).encode() + b"\n"

    def flush(self):
        """Writes what the pipe takes."""
        while self.outgoing and not self.reader_gone:
            try:
                written = os.write(1, self.outgoing[:CHUNK])
            except BlockingIOError:
                break
            except BrokenPipeError:
                self.reader_gone = True
                self.end(False)
                break
            del self.outgoing[:written]
        if self.reader_gone:
            self.outgoing.clear()
        if bool(self.outgoing) != self.writing:
            self.writing = bool(self.outgoing)
            if self.writing:
                self.selector.register(1, selectors.EVENT_WRITE)
            else:
                self.selector.unregister(1)

    def flush_all(self):
        os.set_blocking(1, True)
        self.flush()
        os.set_blocking(1, False)

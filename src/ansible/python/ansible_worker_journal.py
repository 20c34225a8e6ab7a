"""Keeps the worker's journal, a file that Deno's sandbox lets it not write.

This process, in the place of an ``ansible-playbook``, reads lines from stdin. The
first is a JSON object: ``path``, and what is kept of tasks whose end the broker
has, which are lines with the event ``told``: for how many seconds
(``kept_seconds``), and how many (``kept_at_most``). Of each task the last line is
kept, and of others all.

It answers on stdout with the lines that there are, then with
``{"ready": true, "unreadable": N}``, or with ``{"error": TEXT}`` if the file
cannot be written. From then on each line that comes is one for the file: it is
on the disk when ``{"written": N}`` says so of the next N lines, and is not in the
file when ``{"refused": N, "error": TEXT}`` does. It leaves when stdin ends.
"""

import errno
import fcntl
import json
import os
import signal
import sys
import time

# How long an earlier process may take to be gone, in seconds.
LEAVE_SECONDS = 5

# The file is written anew when so many bytes are in it, beside as many again as
# were kept the last time.
SPARE_BYTES = 1 << 20


def main():
    """Serves until stdin ends; never comes back."""
    # What ends is for the worker to say: it may have something to write yet.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    try:
        settings = json.loads(sys.stdin.buffer.raw.readline())
        journal = Journal(**settings)
    except OSError as error:
        say({"error": error.strerror})
        os._exit(1)
    put(1, journal.kept)
    say({"ready": True, "unreadable": journal.unreadable})
    journal.kept = b""
    rest = b""
    while True:
        data = os.read(0, 1 << 16)
        if not data:
            os._exit(0)
        *lines, rest = (rest + data).split(b"\n")
        if not lines:
            continue
        try:
            journal.append(b"".join(line + b"\n" for line in lines))
        except OSError as error:
            say({"refused": len(lines), "error": error.strerror})
        else:
            say({"written": len(lines)})


def say(message):
    put(1, json.dumps(message).encode() + b"\n")


def put(file, data):
    while data:
        data = data[os.write(file, data):]


class Journal:
    """The file, which nobody else writes meanwhile."""

    def __init__(self, path, kept_seconds, kept_at_most):
        self.path = os.path.realpath(path)
        self.kept_seconds = kept_seconds
        self.kept_at_most = kept_at_most
        self.file = open_alone(self.path, LEAVE_SECONDS)
        self.kept = self.compact()

    def append(self, data):
        """Writes lines; they are on the disk afterwards, or not in the file.

        :raises OSError: they are not
        """
        if not is_at(self.file, self.path):
            # Somebody has removed it, or put another one in its place.
            file = open_alone(self.path, 0)
            os.close(self.file)
            self.file = file
            sync_directory(self.path)
        size = os.fstat(self.file).st_size
        try:
            put(self.file, data)
            os.fsync(self.file)
        except OSError:
            # Part of a line would spoil the next one.
            os.ftruncate(self.file, size)
            raise
        if size > 2 * self.compacted + SPARE_BYTES:
            try:
                self.compact()
            except OSError:
                # There is still the long one; the next attempt waits a while.
                self.compacted = size

    def compact(self):
        """Puts a file in its place that has only what is kept, which it returns."""
        new = self.path + ".new"
        kept = b"".join(self.lines())
        file = open_to_write(new, os.O_TRUNC)
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            put(file, kept)
            os.fsync(file)
            os.replace(new, self.path)
            sync_directory(self.path)
        except OSError:
            os.close(file)
            raise
        os.close(self.file)
        self.file = file
        self.compacted = len(kept)
        return kept

    def lines(self):
        """What is kept, oldest first."""
        last = {}
        self.unreadable = 0
        with open(self.path, "rb") as file:
            for line in file:
                try:
                    entry = json.loads(line)
                    key = entry["task_id"]
                    told = entry["at"] if entry["event"] == "told" else None
                except (ValueError, KeyError, TypeError):
                    # A power cut can leave part of one.
                    self.unreadable += 1
                    continue
                last.pop(key, None)
                last[key] = (line, told)
        told = [told for _, told in last.values() if told is not None]
        since = time.strftime(
            "%Y-%m-%dT%H:%M:%S", time.gmtime(time.time() - self.kept_seconds))
        if len(told) > self.kept_at_most:
            since = max(since, sorted(told)[-self.kept_at_most])
        return [line for line, told in last.values()
                if told is None or told >= since]


def open_to_write(path, flags):
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | flags, 0o600)


def open_alone(path, seconds):
    """Opens a file for this process alone, if need be when another is gone.

    :raises OSError: it cannot be written, or another process has it for longer
    """
    until = time.monotonic() + seconds
    while True:
        file = open_to_write(path, 0)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if is_at(file, path):
                return file
        except BlockingIOError:
            if time.monotonic() > until:
                raise OSError(
                    errno.EBUSY, "another process writes it") from None
            time.sleep(0.05)
        os.close(file)


def is_at(file, path):
    """Whether an open file is the one at a path."""
    try:
        return os.path.samestat(os.fstat(file), os.stat(path))
    except FileNotFoundError:
        return False


def sync_directory(path):
    directory = os.open(os.path.dirname(path), os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)

"""What Ansible says while it is imported.

A run by hand would say it each time. The launcher imports Ansible once, so what
it prints then, and writes into its log, is kept, told to the worker, and said
again in each run.
"""

import logging
import os
import sys
import time

STREAMS = ("stdout", "stderr")

# By stream: where it really goes, and the file that stands in for it.
_kept = {}
# The handlers of Ansible's log, and what they were given.
_records = []
_emit = logging.FileHandler.emit


def begin():
    """Keeps what is printed from now on; the worker's pipes see none of it."""
    for name in STREAMS:
        fd = getattr(sys, name).fileno()
        held = os.memfd_create("said-%s" % name)
        _kept[name] = (os.dup(fd), held)
        os.dup2(held, fd)
    logging.FileHandler.emit = lambda *given: _records.append(given)


def end():
    """Gives the streams back.

    :returns: what was printed
    """
    logging.FileHandler.emit = _emit
    for name, (real, _) in _kept.items():
        stream = getattr(sys, name)
        stream.flush()
        os.dup2(real, stream.fileno())
        os.close(real)
        _kept[name] = (None, _kept[name][1])
    return "".join(_text(name).decode("utf-8", "replace") for name in STREAMS)


def show():
    """Prints what is kept, should that be still going on."""
    if logging.FileHandler.emit is not _emit:
        print(end(), end="", file=sys.stderr, flush=True)


def say_again():
    """Says it in a run, as the import of a run by hand would have."""
    for name in STREAMS:
        stream = getattr(sys, name)
        stream.write(_text(name).decode("utf-8", "replace"))
        stream.flush()
    for handler in logging.root.handlers:
        if isinstance(handler, logging.FileHandler):
            # The log may have been moved or removed since.
            before = handler.setStream(handler._open())
            if before is not None:
                before.close()
    for handler, record in _records:
        record.process = os.getpid()
        record.created = time.time()
        handler.handle(record)


def _text(name):
    held = _kept[name][1]
    return os.pread(held, os.fstat(held).st_size, 0)

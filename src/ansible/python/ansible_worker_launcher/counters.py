"""Ansible's own accounting of a run, written to the event pipe as it happens.

Every number of the PLAY RECAP goes through ``AggregateStats``, and before the
callback that belongs to it. So the sums are kept there, and sent by the
callback (``callback_plugins/ansible_worker.py``).
"""

import json
import os

from . import custom_stats, totals, versions

# Ansible's columns and ours.
COLUMNS = {
    "ok": "ok",
    "changed": "changed",
    "failures": "failed",
    "skipped": "skipped",
    "dark": "unreachable",
    "rescued": "rescued",
    "ignored": "ignored",
}
# Of these it is told, too, for which hosts they are not 0.
BY_HOST = {"failures": "failed", "dark": "unreachable"}
RESULTS = ("ok", "failed", "skipped", "unreachable", "rescued")

# The longest text of one message, in characters.
MOST_TEXT = 2000


class Events:
    """The event pipe."""

    def __init__(self, fd):
        self.fd = fd
        self.pid = os.getpid()
        self.counts = dict.fromkeys(COLUMNS.values(), 0)
        self.task = None
        # What was counted last for a host: tells a failure that ends it from
        # one that is rescued.
        self.last = {}

    def send(self, event):
        """Writes one event; a fork of Ansible's writes none."""
        if os.getpid() != self.pid:
            return
        data = json.dumps(event).encode() + b"\n"
        while data:
            data = data[os.write(self.fd, data):]

    def progress(self):
        self.send({
            "event": "progress",
            "counts": self.counts,
            "total": totals.TOTALS.total(self.done()),
            "task": self.task,
        })

    def done(self):
        return sum(self.counts[name] for name in RESULTS)


EVENTS = None


def callback_directories(here):
    """Where the worker's own callbacks are: of each run, and of one whose events
    are told."""
    return [os.path.realpath(os.path.join(here, name))
            for name in ("callback_plugins", "event_callbacks")]


def install(fd, here):
    """Wraps the accounting, and adds the callback beside the user's own."""
    global EVENTS
    EVENTS = Events(fd)
    from ansible.executor.stats import AggregateStats
    from ansible.plugins.loader import callback_loader

    increment = AggregateStats.increment
    decrement = AggregateStats.decrement

    def told_by_host(self, what, host, before):
        after = getattr(self, what).get(host, 0)
        if what in BY_HOST and (before > 0) != (after > 0):
            EVENTS.send({"event": "host", "host": str(host),
                         "column": BY_HOST[what], "counted": after > 0})

    def counted_increment(self, what, host):
        before = getattr(self, what).get(host, 0)
        increment(self, what, host)
        told_by_host(self, what, host, before)
        if what in COLUMNS:
            EVENTS.counts[COLUMNS[what]] += 1
            if what not in ("changed", "ignored"):
                EVENTS.last[host] = what

    def counted_decrement(self, what, host):
        before = getattr(self, what).get(host, 0)
        decrement(self, what, host)
        told_by_host(self, what, host, before)
        if what in COLUMNS:
            after = getattr(self, what).get(host, 0)
            EVENTS.counts[COLUMNS[what]] += after - before

    AggregateStats.increment = counted_increment
    AggregateStats.decrement = counted_decrement
    totals.install(EVENTS)
    custom_stats.install()
    _remember_executor()
    callback_loader.add_directory(callback_directories(here)[0])


# The running PlaybookExecutor, which knows the inventory and the variables.
_executor = None


def executor_parts():
    """Inventory and variable manager of the run."""
    return versions.executor_parts(_executor)


def _remember_executor():
    from ansible.executor.playbook_executor import PlaybookExecutor

    run = PlaybookExecutor.run

    def remembered_run(self):
        global _executor
        _executor = self
        return run(self)

    PlaybookExecutor.run = remembered_run


def failed(result, ignored):
    """A host has failed a task, or was not reached."""
    of, task, values = versions.parts_of(result)
    host = of.get_name()
    last = EVENTS.last.get(host)
    if last == "rescued":
        totals.rescuing(task)
    elif not ignored and last in ("failures", "dark"):
        EVENTS.send({
            "event": "failure",
            "host": cut(host)[:200],
            "task": name_of(task),
            "unreachable": last == "dark",
            "message": failure_text(values),
        })
    EVENTS.progress()


def cut(text):
    """A text of bounded length, without control characters but newlines."""
    text = str(text)
    if len(text) > MOST_TEXT:
        text = text[:MOST_TEXT] + "…"
    return "".join(c if c == "\n" or c.isprintable() else " " for c in text)


def name_of(task):
    """A play task's name, on one line."""
    return cut(task.get_name().strip()).replace("\n", " ")[:200]


def failure_text(result):
    """What a result says of its failure, for a person."""
    if "censored" in result:
        return cut(result["censored"])
    for item in result.get("results") or ():
        if isinstance(item, dict) and (item.get("failed") or item.get("unreachable")):
            return failure_text(item)
    parts = []
    for key in ("msg", "reason", "stderr", "module_stderr", "stdout"):
        text = result.get(key)
        if not text or not str(text).strip():
            continue
        parts.append(cut(str(text).strip()))
        if key in ("msg", "reason") and not versions.says_little(parts[0]):
            break
        if len(parts) == 2:
            break
    if not parts:
        # A plugin has raised something that Ansible does not expect of it.
        lines = str(result.get("exception") or "").strip().splitlines()
        parts = [cut(line) for line in lines[-1:]]
    return ": ".join(parts) or "failed"

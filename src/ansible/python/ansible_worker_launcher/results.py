"""Every host result that the recap counts, told once, where it is counted.

``AggregateStats`` is called before the callback that belongs to a result, and
says what Ansible makes of it (a failure may be counted as rescued, or as ok and
ignored). The callback knows the play task and what the module has said. So what
is counted waits here for its callback (``event_callbacks/``). What is counted
without one of its own, as the hosts of an include are, goes with the next.

Nothing of this is installed in a run whose events nobody wants.
"""

import json
import os
import time
from datetime import datetime, timezone

from . import counters, versions

# What begins a result in the accounting, and what it is called.
STATES = {
    "ok": "ok",
    "failures": "failed",
    "dark": "unreachable",
    "skipped": "skipped",
    "rescued": "rescued",
}
FAILURES = ("failed", "unreachable", "rescued", "ignored")


class Results:
    def __init__(self, events):
        self.events = events
        self.play = ""
        self.task = ""
        # Play tasks by their identity, with the names that Ansible has printed;
        # later, names that are templates are templates again.
        self.names = {}
        # What each host is at, and since when.
        self.started = {}
        # What was counted, and waits for its callback.
        self.counted = []

    # ---- from the accounting

    def count(self, what, host):
        if what in STATES:
            self.counted.append(
                {"host": host, "state": STATES[what], "changed": False})
            return
        for entry in reversed(self.counted):
            if entry["host"] == host:
                if what == "changed":
                    entry["changed"] = True
                    if entry["state"] == "ok":
                        entry["state"] = "changed"
                elif what == "ignored":
                    entry["state"] = "ignored"
                return

    # ---- from the callbacks

    def start_play(self, play):
        self.settle()
        self.play = counters.cut(play.get_name().strip())[:200]
        self.names.clear()
        self.started.clear()

    def start_task(self, task):
        self.settle()
        self.task = counters.name_of(task)
        self.names[task._uuid] = self.task
        self.send("task_start", self.task, {})

    def start_host(self, host, task):
        self.started[host.get_name()] = (task._uuid, time.monotonic())

    def result(self, result):
        """A host has a result; if it is counted, it is told."""
        of, task, values = versions.parts_of(result)
        host = of.get_name()
        mine = [entry for entry in self.counted if entry["host"] == host]
        self.counted = [e for e in self.counted if e["host"] != host]
        for entry in mine:
            self.tell(entry, task, values)

    def settle(self, task=None):
        """Tells what was counted and had no callback of its own."""
        counted, self.counted = self.counted, []
        for entry in counted:
            self.tell(entry, task, None)

    # ---- to the worker

    def tell(self, entry, task, result):
        name, duration = self.task, None
        if task is not None:
            name = self.names.get(task._uuid) or counters.name_of(task)
            uuid, since = self.started.get(entry["host"], (None, 0))
            if uuid == task._uuid:
                duration = round(time.monotonic() - since, 3)
        self.send("result", name, {
            "host": counters.cut(entry["host"])[:200],
            "state": entry["state"],
            "changed": entry["changed"],
            "duration_seconds": duration,
            "message": message_of(result, entry["state"]),
        })

    def send(self, event, task, more):
        now = datetime.now(timezone.utc)
        self.events.send({
            "event": event,
            "time": now.strftime("%Y-%m-%dT%H:%M:%S.")
            + "%03dZ" % (now.microsecond // 1000),
            "play": self.play,
            "task": task,
            "host": None,
            "state": None,
            "changed": None,
            "duration_seconds": None,
            "message": None,
            **more,
        })


RESULTS = None


def install(events, here):
    """Listens to the accounting, and adds the callback that goes with it."""
    global RESULTS
    RESULTS = Results(events)
    from ansible.executor.stats import AggregateStats
    from ansible.plugins.loader import callback_loader

    increment = AggregateStats.increment

    def told_increment(self, what, host):
        increment(self, what, host)
        RESULTS.count(what, host)

    AggregateStats.increment = told_increment
    callback_loader.add_directory(counters.callback_directories(here)[1])


def message_of(result, state):
    """What a result says to a person, in bounded length; None for nothing."""
    if result is None:
        return None
    if "censored" in result or state in FAILURES:
        return counters.cut(counters.failure_text(result))
    return counters.cut(said(result)).strip() or None


def said(result):
    """The message of a result, or those of its items, a line each."""
    items = result.get("results")
    if isinstance(items, (list, tuple)) and items:
        texts = []
        size = 0
        for item in items:
            if isinstance(item, dict) and size <= counters.MOST_TEXT:
                text = said(item)
                if text:
                    texts.append(text)
                    size += len(text)
        return "\n".join(texts)
    message = result.get("msg")
    if message is None or message == "":
        message = result.get("skip_reason") or result.get("skipped_reason") or ""
    if isinstance(message, str):
        return message
    try:
        return json.dumps(message, ensure_ascii=False, default=str)
    except (TypeError, ValueError):
        return str(message)

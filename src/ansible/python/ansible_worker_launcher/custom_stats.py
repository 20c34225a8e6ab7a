"""What ``set_stats`` has left, for the final status of a run.

Ansible keeps it in ``AggregateStats``, results under ``no_log`` included, and
says there nothing of where a value is from. It does so before the callback that
belongs to the result, which shows whether the result is hidden. So a name waits
for its callback, and one that a hidden result has had a part in is left out.
"""

import json

# The longest text, in bytes.
MOST_BYTES = 65536

# Where Ansible keeps what is not of one host.
RUN = "_run"


class CustomStats:
    def __init__(self):
        # Pairs of where a value is kept and its name.
        self.waiting = set()
        self.shown = set()
        self.hidden = set()

    def settle(self, result):
        """What has come since the last result is of this one."""
        if self.waiting:
            (self.hidden if "censored" in result else self.shown).update(
                self.waiting)
            self.waiting.clear()

    def text(self, stats):
        """JSON with ``run`` and ``hosts``; None if there is nothing, or it is
        too long."""
        run, hosts = {}, {}
        for kept, values in stats.custom.items():
            into = run if kept == RUN else {}
            for name, value in values.items():
                key = (kept, name)
                if key in self.shown and key not in self.hidden and says(value):
                    into[str(name)] = value
            if into and kept != RUN:
                hosts[str(kept)] = into
        if not run and not hosts:
            return None
        text = json.dumps({"run": run, "hosts": hosts}, ensure_ascii=False)
        size = len(text.encode("utf-8", "surrogatepass"))
        return text if size <= MOST_BYTES else None


CUSTOM_STATS = CustomStats()


def says(value):
    """Whether JSON can say it."""
    try:
        json.dumps(value, allow_nan=False)
        return True
    except (TypeError, ValueError, RecursionError):
        return False


def install():
    """Watches what is kept."""
    from ansible.executor.stats import AggregateStats

    for method in ("set_custom_stats", "update_custom_stats"):
        setattr(AggregateStats, method, watched(getattr(AggregateStats, method)))


def watched(method):
    def watched_method(self, which, what, host=None):
        CUSTOM_STATS.waiting.add((RUN if host is None else host, which))
        return method(self, which, what, host)

    return watched_method

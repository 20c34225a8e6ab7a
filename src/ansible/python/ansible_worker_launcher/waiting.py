"""Lets a strategy wait for what it asks for, instead of asking again and again.

Ansible looks for results each millisecond, and for a worker of its own that has
ended ten times in one. That costs time in which its workers could have the
processor, and half such a step for each result. Here it sleeps until a result is
there, or one of its workers has ended; and never for long, since there may be
something else that it asks for.
"""

import collections
import os
import select
import time

from . import versions

# The longest sleep, in milliseconds.
LONGEST = 10


class Results(collections.deque):
    """The results that a strategy has yet to look at."""

    def append(self, result):
        super().append(result)
        CLOCK.wake()


class Clock:
    """Stands in for ``time`` where a strategy sleeps."""

    def __init__(self):
        self.strategy = None
        self.woken, self.waking = os.pipe()
        for fd in (self.woken, self.waking):
            os.set_blocking(fd, False)

    def __getattr__(self, name):
        return getattr(time, name)

    def wake(self, *_):
        try:
            os.write(self.waking, b".")
        except BlockingIOError:
            # It is awake.
            pass

    def sleep(self, seconds):
        """Sleeps until there is something to look at."""
        poll = select.poll()
        poll.register(self.woken, select.POLLIN)
        for sentinel in versions.sentinels(self.strategy):
            poll.register(sentinel, select.POLLIN)
        poll.poll(LONGEST)
        try:
            os.read(self.woken, 4096)
        except BlockingIOError:
            pass


CLOCK = None


def install():
    """Wraps what makes a strategy."""
    global CLOCK
    from ansible.plugins import strategy as module

    CLOCK = Clock()
    init = module.StrategyBase.__init__

    def init_and_wait(self, *args, **kwargs):
        init(self, *args, **kwargs)
        CLOCK.strategy = self
        versions.wake_with(self, Results, CLOCK.wake)

    module.StrategyBase.__init__ = init_and_wait
    module.time = CLOCK

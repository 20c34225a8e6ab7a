"""How many host results a run is expected to have.

Known early from the compiled plays; put right by the real task list when a play
starts; and grown when tasks are added while it runs (includes, notified
handlers, rescues). What ends early (failed hosts, ``meta: end_play``) makes it
too large; it never shrinks while the run goes on.
"""

from . import versions


class Totals:
    def __init__(self):
        self.sent = 0
        # Results before the batch that runs now, and those expected of it.
        self.before = 0
        self.batch = 0
        # Expected of the hosts and plays that have not started.
        self.later = []
        self.notified = set()

    def total(self, done):
        expected = self.before + self.batch + sum(
            per_host * hosts + once for per_host, hosts, once in self.later)
        self.sent = max(self.sent, expected, done)
        return self.sent


TOTALS = Totals()


def install(events):
    """Watches the places where tasks come into a run."""
    from ansible.executor.play_iterator import PlayIterator

    init = PlayIterator.__init__
    add_tasks = PlayIterator.add_tasks

    def counted_init(self, inventory, play, *args, **kwargs):
        init(self, inventory, play, *args, **kwargs)
        try:
            start_batch(self, play, events.done())
        except Exception:
            # An estimate that cannot be made must not end the run.
            pass

    def counted_add_tasks(self, host, task_list):
        for block in task_list:
            per_host, once = count(block)
            TOTALS.batch += per_host + once
        return add_tasks(self, host, task_list)

    PlayIterator.__init__ = counted_init
    PlayIterator.add_tasks = counted_add_tasks


def start_batch(iterator, play, done):
    set_up, blocks, names = versions.iterator_parts(iterator)
    hosts = len(names)
    per_host, once = count_all(blocks)
    facts = sum(
        1 for name in names
        if gathers_facts(iterator, play, name) and set_up.has_tasks())
    if versions.validates_arguments(play):
        per_host += 1
    TOTALS.before = done
    TOTALS.batch = per_host * hosts + once + facts
    TOTALS.notified.clear()
    for entry in TOTALS.later:
        if entry[1] > 0:
            # The first play that has hosts left is the one that starts.
            entry[1] -= min(hosts, entry[1])
            entry[2] = entry[2] if entry[1] > 0 else 0
            break


def gathers_facts(iterator, play, host_name):
    from ansible import constants
    from ansible.module_utils.parsing.convert_bool import boolean

    wanted = play.gather_facts
    implied = wanted is None or boolean(wanted, strict=False)
    gathering = constants.DEFAULT_GATHERING
    if gathering == "explicit":
        return wanted is not None and boolean(wanted, strict=False)
    if gathering == "smart":
        return implied and not versions.knows_facts_of(iterator, host_name)
    return implied


def count_all(blocks):
    per_host = once = 0
    for block in blocks:
        more_per_host, more_once = count(block)
        per_host += more_per_host
        once += more_once
    return per_host, once


def count(block):
    """The results that a block gives per host, and once for all of them."""
    from ansible.playbook.block import Block

    per_host = once = 0
    for task in list(block.block) + list(block.always):
        if isinstance(task, Block):
            more_per_host, more_once = count(task)
            per_host += more_per_host
            once += more_once
        elif is_counted(task):
            if task.run_once:
                once += 1
            else:
                per_host += 1
    return per_host, once


# Play tasks that bring others in, or steer the run, and have no result.
UNCOUNTED = {
    "meta",
    "include_role",
    "import_role",
    "import_tasks",
}


def is_counted(task):
    return task.action.rsplit(".", 1)[-1] not in UNCOUNTED


def expect_plays(playbook, executor_parts):
    """Estimates all plays of a playbook before the first one starts."""
    from ansible.playbook.block import Block
    from ansible.template import Templar

    inventory, variable_manager, loader = executor_parts
    TOTALS.later = []
    for original in playbook.get_plays():
        if not is_plain(original.hosts, inventory):
            # To find its hosts now could do, or say, something that a run by
            # hand does not; the play itself will tell how long it is.
            TOTALS.later.append([0, 0, 0])
            continue
        play = original.copy()
        all_vars = variable_manager.get_vars(play=play)
        play.post_validate(Templar(loader=loader, variables=all_vars))
        hosts = len(inventory.get_hosts(play.hosts))
        per_host, once = count_all(
            block.filter_tagged_tasks(all_vars)
            for block in play.compile() if isinstance(block, Block))
        wanted = play.gather_facts
        if wanted is None or wanted is True:
            per_host += 1
        if versions.validates_arguments(play):
            per_host += 1
        TOTALS.later.append([per_host, hosts, once])


def is_plain(hosts, inventory):
    """Whether a play's hosts are names and groups that are known already."""
    patterns = hosts if isinstance(hosts, (list, tuple)) else [hosts]
    return all(
        isinstance(pattern, str) and (
            pattern in ("all", "localhost", "*") or pattern in inventory.groups
            or pattern in inventory.hosts)
        for pattern in patterns)


def notified(handler, host):
    """A handler will run for one host more."""
    key = (id(handler), str(host))
    if key not in TOTALS.notified:
        TOTALS.notified.add(key)
        if is_counted(handler):
            TOTALS.batch += 1


def handled():
    """Handlers run: what is notified from now on runs again."""
    TOTALS.notified.clear()


def rescuing(task):
    """A host goes on with the rescue of the block that it has failed in."""
    block = getattr(task, "_parent", None)
    while block is not None and not getattr(block, "rescue", None):
        block = getattr(block, "_parent", None)
    if block is not None:
        TOTALS.batch += sum(1 for other in block.rescue if hasattr(
            other, "action") and is_counted(other))

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
        # The plays that have hosts which have not started.
        self.later = []
        self.notified = set()

    def total(self, done):
        expected = self.before + self.batch + sum(
            play.results() for play in self.later)
        self.sent = max(self.sent, expected, done)
        return self.sent


class Later:
    """What is expected of a play, as far as it has not started."""

    def __init__(self, per_host=0, once=0, hosts=0, facts=()):
        self.per_host = per_host
        self.once = once
        self.hosts = hosts
        # The hosts whose facts are to be gathered.
        self.facts = set(facts)

    def results(self):
        return self.per_host * self.hosts + self.once + len(self.facts)

    def start(self, names):
        self.hosts -= min(len(names), self.hosts)
        self.facts -= set(names)
        if self.hosts == 0:
            self.once = 0
            self.facts.clear()


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
    set_up, blocks, names, variable_manager = versions.iterator_parts(iterator)
    hosts = len(names)
    per_host, once = count_all(blocks)
    facts = sum(
        1 for name in names
        if gathers_facts(play, name, variable_manager) and set_up.has_tasks())
    if versions.validates_arguments(play):
        per_host += 1
    TOTALS.before = done
    TOTALS.batch = per_host * hosts + once + facts
    TOTALS.notified.clear()
    for later in TOTALS.later:
        if later.hosts > 0:
            # The first play that has hosts left is the one that starts.
            later.start(names)
            break


def gathers_facts(play, host_name, variable_manager):
    """Whether a play begins with the facts of a host."""
    from ansible import constants
    from ansible.module_utils.parsing.convert_bool import boolean

    wanted = play.gather_facts
    implied = wanted is None or boolean(wanted, strict=False)
    gathering = constants.DEFAULT_GATHERING
    if gathering == "explicit":
        return wanted is not None and implied
    if gathering == "smart":
        return implied and not versions.knows_facts_of(
            variable_manager, host_name)
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
    """Estimates all plays of a playbook before the first one starts.

    Nothing is evaluated for that: a lookup could do, or say, something, and a
    run by hand evaluates it once. What depends on templates, the play itself
    will tell when it starts.
    """
    from ansible import constants
    from ansible.playbook.block import Block

    inventory, variable_manager = executor_parts
    TOTALS.later = []
    gathered = set()
    for original in playbook.get_plays():
        TOTALS.later.append(Later())
        if not is_plain(original.hosts, inventory):
            continue
        play = original.copy()
        blocks = [b for b in play.compile() if isinstance(b, Block)]
        set_up = facts_of(play)
        if has_templates(set_up.tags) or any(map(has_template_tags, blocks)):
            continue
        names = [host.name for host in inventory.get_hosts(play.hosts)]
        per_host, once = count_all(b.filter_tagged_tasks({}) for b in blocks)
        if versions.validates_arguments(play):
            per_host += 1
        facts = []
        if not has_templates([play.gather_facts]) and set_up.evaluate_tags(
                play.only_tags, play.skip_tags, {}):
            facts = [name for name in names
                     if gathers_facts(play, name, variable_manager)]
        if constants.DEFAULT_GATHERING == "smart":
            facts = [name for name in facts if name not in gathered]
            gathered.update(facts)
        TOTALS.later[-1] = Later(per_host, once, len(names), facts)


def facts_of(play):
    """The play task that gathers facts, as far as its tags go."""
    from ansible.playbook.block import Block
    from ansible.playbook.task import Task

    task = Task(block=Block(play=play))
    if not play.tags:
        task.tags = ["always"]
    return task


def has_template_tags(block):
    return has_templates(block.tags) or any(
        has_template_tags(task) if hasattr(task, "block")
        else has_templates(task.tags)
        for task in [*block.block, *block.rescue, *block.always])


def has_templates(values):
    return any("{" in str(value) for value in values)


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

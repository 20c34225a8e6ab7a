"""Sends what the worker publishes. It needs no enabling and prints nothing."""

from ansible.plugins.callback import CallbackBase

from ansible_worker_launcher import counters, custom_stats, totals, versions

DOCUMENTATION = """
    name: ansible_worker
    type: aggregate
    short_description: sends the progress of a run to the worker
    description:
      - Loaded by the worker in the runs that it starts, and nowhere else.
"""


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "ansible_worker"

    def v2_playbook_on_start(self, playbook):
        try:
            totals.expect_plays(playbook, counters.executor_parts())
        except Exception:
            # The plays' own task lists will tell.
            pass
        counters.EVENTS.progress()

    def v2_playbook_on_play_start(self, play):
        counters.EVENTS.progress()

    def v2_playbook_on_task_start(self, task, is_conditional):
        counters.EVENTS.task = counters.name_of(task)
        counters.EVENTS.progress()

    def v2_playbook_on_cleanup_task_start(self, task):
        self.v2_playbook_on_task_start(task, False)

    def v2_playbook_on_handler_task_start(self, task):
        totals.handled()
        self.v2_playbook_on_task_start(task, False)

    def v2_playbook_on_notify(self, handler, host):
        totals.notified(handler, host)

    def v2_runner_on_ok(self, result):
        custom_stats.CUSTOM_STATS.settle(versions.parts_of(result)[2])
        counters.EVENTS.progress()

    def v2_runner_on_skipped(self, result):
        counters.EVENTS.progress()

    def v2_runner_on_failed(self, result, ignore_errors=False):
        counters.failed(result, ignore_errors)

    def v2_runner_on_unreachable(self, result):
        counters.failed(result, False)

    def v2_playbook_on_include(self, included_file):
        counters.EVENTS.progress()

    def v2_playbook_on_stats(self, stats):
        counters.EVENTS.send({
            "event": "stats",
            "text": custom_stats.CUSTOM_STATS.text(stats),
        })
        counters.EVENTS.progress()

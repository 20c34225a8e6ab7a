"""Tells the worker each host result. Loaded only where events are wanted."""

from ansible.plugins.callback import CallbackBase

from ansible_worker_launcher import results

DOCUMENTATION = """
    name: ansible_worker_events
    type: aggregate
    short_description: sends the host results of a run to the worker
    description:
      - Loaded by the worker in runs whose events it publishes, and nowhere else.
"""


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "ansible_worker_events"

    def v2_playbook_on_play_start(self, play):
        results.RESULTS.start_play(play)

    def v2_playbook_on_task_start(self, task, is_conditional):
        results.RESULTS.start_task(task)

    def v2_playbook_on_cleanup_task_start(self, task):
        results.RESULTS.start_task(task)

    def v2_playbook_on_handler_task_start(self, task):
        results.RESULTS.start_task(task)

    def v2_runner_on_start(self, host, task):
        results.RESULTS.start_host(host, task)

    def v2_runner_on_ok(self, result):
        results.RESULTS.result(result)

    def v2_runner_on_skipped(self, result):
        results.RESULTS.result(result)

    def v2_runner_on_failed(self, result, ignore_errors=False):
        results.RESULTS.result(result)

    def v2_runner_on_unreachable(self, result):
        results.RESULTS.result(result)

    def v2_playbook_on_include(self, included_file):
        results.RESULTS.settle(included_file._task)

    def v2_playbook_on_stats(self, stats):
        results.RESULTS.settle()

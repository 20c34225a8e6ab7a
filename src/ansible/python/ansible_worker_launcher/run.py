"""Becomes ``ansible-playbook`` with the arguments of a task."""

import atexit
import importlib
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import threading

from . import counters, results, versions


def become_playbook(job, here, parent_of_tmp):
    """Prepares this process, in which the program's own main then runs.

    :param job: ``argv``, the arguments; ``inventory_programs``, whether they
        are run; ``extra_vars``, JSON or None; ``vault_password`` or None;
        ``events``, whether each host result is told; and ``event_fd``, where
        that is written
    :param here: the directory of these files
    :param parent_of_tmp: where Ansible keeps its local temporary directories
    """
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP,
                   signal.SIGCHLD, signal.SIGPIPE):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    # Two forks of one process would draw the same numbers.
    random.seed()
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(write_through=True, line_buffering=True)

    tmp = tempfile.mkdtemp(
        prefix="ansible-local-%d" % os.getpid(), dir=parent_of_tmp)
    owner = os.getpid()

    def remove_tmp():
        # Ansible's own workers are forks of this process too.
        if os.getpid() == owner:
            shutil.rmtree(tmp, ignore_errors=True)

    atexit.register(remove_tmp)
    versions.use_local_tmp(tmp)

    leave_at_the_end()
    counters.install(job["event_fd"], here)
    if job.get("events"):
        results.install(counters.EVENTS, here)
    if not job.get("inventory_programs"):
        versions.run_no_inventory_programs()
    extra_vars = job.get("extra_vars")
    versions.take_as_data({} if extra_vars is None else json.loads(extra_vars))
    # Of this process only: the kernel shows the arguments that the launcher was
    # started with.
    sys.argv[1:] = job["argv"]
    if job.get("vault_password") is not None:
        # In this process and its forks only: a file, an argument or a variable
        # could be read by what the playbook starts.
        versions.add_vault_password(job["vault_password"])


def leave_at_the_end():
    """Lets this process leave when the program's main is through and all exit
    functions have run, without taking the interpreter apart: that touches every
    page that it shares with the launcher."""
    cli = importlib.import_module("ansible.cli.playbook")
    main = cli.main

    def main_and_leave(*args, **kwargs):
        try:
            code = main(*args, **kwargs)
        except SystemExit as leaving:
            code = leaving.code
        if code is None:
            code = 0
        elif not isinstance(code, int):
            print(code, file=sys.stderr)
            code = 1
        threading._shutdown()
        atexit._run_exitfuncs()
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except (OSError, ValueError):
                pass
        os._exit(code & 0xFF)

    cli.main = main_and_leave

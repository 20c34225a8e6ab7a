"""Becomes ``ansible-playbook`` with the arguments of a task."""

import atexit
import gc
import importlib
import json
import os
import resource
import signal
import sys
import threading

from . import counters, inventories, kept, results, said, versions, waiting

# How many files a process may have open that has not asked for more: what Linux
# and systemd begin with.
OPEN_FILES = 1024


def become_playbook(job, here):
    """Prepares this process, in which the program's own main then runs.

    :param job: ``argv``, the arguments; ``inventory_programs``, whether they
        are run; ``extra_vars``, JSON or None; ``vault_password`` or None;
        ``events``, whether each host result is told; and ``event_fd``, where
        that is written
    :param here: the directory of these files
    """
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP,
                   signal.SIGCHLD, signal.SIGPIPE):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(write_through=True, line_buffering=True)
    # Deno has raised it to the hard limit, for itself.
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == hard:
        resource.setrlimit(
            resource.RLIMIT_NOFILE, (min(OPEN_FILES, hard), hard))
    said.say_again()
    versions.draw_again()
    versions.make_local_tmp()

    # A collection looks at each object that is new in this process, and most
    # of a run's objects stay.
    gc.set_threshold(10_000, 10, 10)
    leave_at_the_end()
    counters.install(job["event_fd"], here)
    if job.get("events"):
        results.install(counters.EVENTS, here)
    kept.tell_of_ssh()
    waiting.install()
    inventories.install(job["inventory_programs"])
    versions.keep_out_of_syslog()
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

"""Turns an ``ansible-playbook`` that the worker has started into a launcher,
or into what carries its notifications, or keeps its journal.

Python imports ``sitecustomize`` from PYTHONPATH before the program's own main
runs. Everybody else who gets to see this file (a module, a lookup) is left
alone, and the ``sitecustomize`` that it hides is imported as usual.

A launcher never goes on as the program that it was started as, which would be
an ``ansible-playbook`` without arguments: whatever is raised here ends it.
"""

import os
import sys

_HERE = os.path.dirname(os.path.abspath(__file__))
_IS_LAUNCHER = os.environ.pop("ANSIBLE_WORKER_LAUNCHER", None) == "1"
_IS_NOTIFIER = os.environ.pop("ANSIBLE_WORKER_NOTIFIER", None) == "1"
_IS_JOURNAL = os.environ.pop("ANSIBLE_WORKER_JOURNAL", None) == "1"


def _leave_python_path():
    """Takes this directory out of PYTHONPATH, so that nothing inherits it."""
    entries = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    rest = [e for e in entries if e and os.path.abspath(e) != _HERE]
    if rest:
        os.environ["PYTHONPATH"] = os.pathsep.join(rest)
    else:
        os.environ.pop("PYTHONPATH", None)


def _import_hidden():
    """Imports the ``sitecustomize`` that stands behind this one, if any."""
    import importlib.machinery
    import importlib.util

    path = [e for e in sys.path if os.path.abspath(e or ".") != _HERE]
    spec = importlib.machinery.PathFinder.find_spec("sitecustomize", path)
    if spec is None or spec.loader is None:
        return
    module = importlib.util.module_from_spec(spec)
    sys.modules["sitecustomize"] = module
    spec.loader.exec_module(module)


def _launch():
    """Comes back only in the process that is to be ansible-playbook."""
    from ansible_worker_launcher import ending, said

    said.begin()
    try:
        try:
            _import_hidden()
        except Exception as error:
            # As Python says it, and goes on.
            print("Error in sitecustomize; set PYTHONVERBOSE for traceback:\n"
                  "%s: %s" % (type(error).__name__, error), file=sys.stderr)
        from ansible_worker_leftovers import remove
        from ansible_worker_launcher.launcher import launch

        remove()
        sys.path[:] = [e for e in sys.path if os.path.abspath(e or ".") != _HERE]
        launch(_HERE)
    except BaseException as error:
        said.show()
        ending.give_up(error)


if _IS_NOTIFIER or _IS_JOURNAL:
    if _IS_NOTIFIER:
        from ansible_worker_notify import main
    else:
        from ansible_worker_journal import main

    # Does not come back.
    main()
_leave_python_path()
if _IS_LAUNCHER:
    _launch()
else:
    _import_hidden()

"""The end of a process in which something was raised before ansible-playbook's
own main: it says why, and does not go on."""

import os
import sys
import traceback


def give_up(error):
    """Ends this process, with the cause as the last line on stderr."""
    if not isinstance(error, (OSError, SystemExit)):
        traceback.print_exception(type(error), error, error.__traceback__)
    # The form in which Ansible reports its own errors.
    print("ERROR! %s" % cause(error), file=sys.stderr, flush=True)
    os._exit(1)


def cause(error):
    """What went wrong, in a line."""
    if isinstance(error, OSError) and error.strerror:
        return ": ".join(
            str(part) for part in (error.strerror, error.filename) if part)
    text = str(error).strip()
    if isinstance(error, SystemExit):
        return text or "left"
    name = type(error).__name__
    return "%s: %s" % (name, text) if text else name

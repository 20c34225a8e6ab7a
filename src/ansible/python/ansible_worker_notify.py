"""Carries what the worker has to say to its service manager.

systemd listens on a datagram socket of the file system (sd_notify(3)), which
Deno's sandbox lets nobody write to who may not write files. This process, in
the place of an ``ansible-playbook``, reads notifications from stdin, each a line
with a JSON string, and sends each as one datagram. It leaves when stdin ends.
"""

import json
import os
import socket
import sys


def main():
    """Serves until stdin ends; never comes back."""
    address = os.environ["NOTIFY_SOCKET"]
    if address.startswith("@"):
        # In the abstract namespace (unix(7)).
        address = "\0" + address[1:]
    manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    manager.connect(address)
    for line in sys.stdin.buffer:
        manager.send(json.loads(line).encode())
    os._exit(0)

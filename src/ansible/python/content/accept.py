"""Looks at a checkout before it is used: whether the directories are there, and
whether the playbooks are YAML. What else may be wrong with them, a run says. Then
it gives the checkout its name.

Arguments: the checkout, the playbook directory and the inventory directory in it,
and its name, a path.
"""

import os
import re
import subprocess
import sys

import yaml

# A play, or another playbook, as an item of the list that a playbook is.
PLAY = re.compile(
    rb"^-?[ \t]*[\"']?(hosts|(ansible\.builtin\.)?import_playbook)[\"']?[ \t]*:", re.M)

# A larger file is no playbook.
MAX_BYTES = 1 << 20


def main(checkout, playbooks, inventories, name):
    for directory in (playbooks, inventories):
        if not os.path.isdir(os.path.join(checkout, directory)):
            sys.exit('there is no directory "%s" in it' % directory)
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    for path in files_below(os.path.join(checkout, playbooks)):
        if os.path.getsize(path) > MAX_BYTES:
            continue
        with open(path, "rb") as file:
            text = file.read()
        if not PLAY.search(text):
            continue
        try:
            for _ in yaml.parse(text, loader):
                pass
        except yaml.YAMLError as error:
            sys.exit("%s: %s" % (os.path.relpath(path, checkout),
                                 " ".join(str(error).split())))
    # What has its name is on the disk, whatever happens to the power.
    subprocess.run(["sync", "-f", checkout], stderr=subprocess.DEVNULL, check=False)
    os.rename(checkout, name)


def files_below(directory):
    for here, directories, names in os.walk(directory):
        directories[:] = [name for name in directories if name != ".git"]
        for name in names:
            path = os.path.join(here, name)
            if name.endswith((".yml", ".yaml")) and os.path.isfile(path):
                yield path


main(*sys.argv[1:])

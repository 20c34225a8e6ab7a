"""Installs the roles and collections of a checkout's ``requirements.yml`` into it,
beside the playbooks, where Ansible looks for them.

Arguments: the checkout, and the playbook directory in it.
"""

import os
import subprocess
import sys

import yaml

# Where such files are kept, by Ansible's documentation and by what other programs
# look for.
NAMES = ("requirements.yml", "requirements.yaml",
         "roles/requirements.yml", "roles/requirements.yaml",
         "collections/requirements.yml", "collections/requirements.yaml")


def main(checkout, playbooks):
    directory = os.path.join(checkout, playbooks)
    os.environ.pop("ANSIBLE_CONFIG", None)
    if os.environ.get("USER_CONFIG"):
        os.environ["ANSIBLE_CONFIG"] = os.environ["USER_CONFIG"]
    seen = set()
    for top in (checkout, directory):
        for name in NAMES:
            path = os.path.realpath(os.path.join(top, name))
            if path not in seen and os.path.isfile(path):
                seen.add(path)
                install(path, directory, os.path.relpath(path, checkout))


def install(path, directory, name):
    try:
        with open(path, "rb") as file:
            wanted = yaml.safe_load(file)
    except yaml.YAMLError as error:
        sys.exit("%s: %s" % (name, " ".join(str(error).split())))
    if wanted is None:
        return
    if isinstance(wanted, list):
        # As it was before there were collections.
        wanted = {"roles": wanted}
    if not isinstance(wanted, dict):
        sys.exit("%s: it must have a list of roles, or of collections" % name)
    for kind in ("roles", "collections"):
        if not wanted.get(kind):
            continue
        # What the repository has itself is left alone.
        done = subprocess.run(
            ["ansible-galaxy", kind[:-1], "install", "-r", path,
             "-p", os.path.join(directory, kind)],
            cwd=directory, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, errors="replace")
        if done.returncode != 0:
            sys.exit("%s: %s" % (name, " ".join(done.stdout.split())[-2000:]))


main(*sys.argv[1:])

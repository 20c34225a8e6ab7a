"""What the worker runs inside ``ansible-playbook``.

``launcher``    imports Ansible, waits for a task, forks
``supervisor``  watches over one run, and ends it with all that it has started
``made_from``   tells when it is no longer what a run by hand would be
``kept``        what each run does in the same way, done once
``module_imports``  what modules import, found out once
``waiting``     lets a strategy wait for its workers, instead of asking
``said``        keeps what Ansible says at its import, and says it in each run
``ending``      ends what has failed before ansible-playbook's own main
``processes``   finds, names and kills what descends from a run
``run``         becomes the real ``ansible-playbook`` with the task's arguments
``counters``    Ansible's own accounting, as it happens
``results``     each host result, where somebody wants to know them
``inventories`` sees to it that an inventory is read in whole
``output``      what a run prints, on its way to the worker
``totals``      how many results a run is expected to have
``versions``    where releases of ansible-core differ
"""

"""Makes one XAPI pool of the lab's hosts, through xe as an administrator would."""

import time
from collections.abc import Sequence

from lab.host import ROOT_PASSWORD
from lab.machine import Machine
from lab.state import LabError

XE_TIMEOUT = 60.0
JOIN_DEADLINE = 60.0
POLL = 0.1


def form(hosts: Sequence[Machine]) -> None:
    """Join every host to the first one, and wait until the master has them all enabled. Raises LabError."""
    master, members = hosts[0], hosts[1:]
    credentials = (
        "master-address=%s" % master.spec.public,
        "master-username=root",
        "master-password=%s" % ROOT_PASSWORD,
    )
    for member in members:
        xe(member, "pool-join", *credentials)
    deadline = time.monotonic() + JOIN_DEADLINE
    while len(xe(master, "host-list", "enabled=true", "--minimal").split(",")) < len(hosts):
        if time.monotonic() > deadline:
            raise LabError("not all hosts are enabled %d s after joining the pool" % JOIN_DEADLINE)
        time.sleep(POLL)


def xe(host: Machine, *arguments: str) -> str:
    """Run xe on a host. Raises LabError with its stderr."""
    done = host.run(["/usr/bin/xe", *arguments], XE_TIMEOUT)
    if done.returncode:
        raise LabError("xe %s on %s: %s" % (arguments[0], host.spec.name, done.stderr.strip()))
    return done.stdout.strip()

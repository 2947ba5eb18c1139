"""The other sides: the rbd command, the least that any Python program on Ceph must do, and the library alone."""

import subprocess
from collections.abc import Sequence
from functools import partial

import rados
import rbd

from benchmarks.measure import Side, Spent, spent_on
from benchmarks.site import Site
from cephhci.ceph.pool import FEATURES
from cephhci.target import Target
from lab.xapi import sm_exec

CONFFILE = "/etc/ceph/hci.conf"  # on every host, with the same user's key as the SR's
DEADLINE = 600
FLOOR = "floor"
SM_FLOOR = "floor with SM"
PROGRAM = """\
import sys
import rados
import rbd
user, monitors, pool = sys.argv[1:]
with rados.Rados(rados_id=user, conf={"mon_host": monitors, "key": sys.stdin.read()}) as cluster:
    cluster.open_ioctx(pool).close()
"""
SM_MODULES = """\
import sys
sys.path.insert(0, "/opt/xensource/sm")
import SR
import SRCommand
import VDI
"""
OPTIONS = {"client_mount_timeout": "10", "rados_osd_op_timeout": "60"}


def rbd_command(site: Site, *arguments: str) -> Side:
    """The rbd command as the SR's user on the SR's pool."""
    config = site.config
    argv = ["/usr/bin/rbd", "--conf", CONFFILE, "--id", config.user, "--pool", config.pool, *arguments]
    return lambda: spent_on(lambda: _run(argv))


def floor(site: Site) -> Side:
    """A Python process that imports both bindings, connects, opens the pool, and ends."""
    return _python(site, PROGRAM)


def sm_floor(site: Site) -> Side:
    """The same with the modules of SM that every driver must import."""
    return _python(site, SM_MODULES + PROGRAM)


def _python(site: Site, program: str) -> Side:
    target = site.target
    argv = ["/usr/bin/python3", "-c", program, target.user, target.monitors, site.config.pool]
    return lambda: spent_on(lambda: _run(argv, target.key))


def _run(argv: Sequence[str], stdin: str = "") -> None:
    done = subprocess.run(
        argv, input=stdin, capture_output=True, text=True, timeout=DEADLINE, env=sm_exec.ENVIRONMENT, cwd="/"
    )
    if done.returncode:
        raise RuntimeError("%s ended with %d: %s" % (argv[0], done.returncode, done.stderr.strip()))


class Library:
    """librbd in a process that is warm: imported, connected, the pool open."""

    def __init__(self, target: Target, pool: str) -> None:
        conf = {"mon_host": target.monitors, "key": target.key, **OPTIONS}
        self._cluster = rados.Rados(rados_id=target.user, conf=conf)
        self._cluster.connect()
        self.pool = self._cluster.open_ioctx(pool)

    def create(self, name: str, size: int, features: Sequence[str]) -> Spent:
        """What one create takes."""
        bits = sum(FEATURES[feature] for feature in features)
        return spent_on(partial(rbd.RBD().create, self.pool, name, size, old_format=False, features=bits))

    def trash(self, name: str) -> Spent:
        """What one move to the trash takes."""
        return spent_on(partial(rbd.RBD().trash_move, self.pool, name, 0))

    def empty_trash(self, prefix: str) -> None:
        """Remove the trashed images whose names begin so, which no one else would."""
        for item in rbd.RBD().trash_list(self.pool):
            if item["name"].startswith(prefix):
                rbd.RBD().trash_remove(self.pool, item["id"], force=True)

    def close(self) -> None:
        self.pool.close()
        self._cluster.shutdown()

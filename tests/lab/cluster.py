"""The lab's Ceph cluster, seen by a client: is it there, is it clean, and the pool for the hosts."""

import contextlib
import json
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rados
import rbd

from lab.host import write
from lab.machine import Machine
from lab.state import LabError, State

if TYPE_CHECKING:
    from cephhci.node.seed import Seed

DEADLINE = 120.0
POLL = 0.1
TIMEOUTS = {"client_mount_timeout": "5", "rados_mon_op_timeout": "10", "rados_osd_op_timeout": "30"}
PG_NUM = 16
HOST_CONF = """\
[global]
fsid = %s
mon_host = %s

[client]
keyring = /etc/ceph/hci.$name.keyring
"""


def write_client_files(state: State, hosts: Sequence[Machine], seed: "Seed") -> None:
    """Give the lab an administrator's files, and every host those that a deployed host has."""
    mon_host = ",".join(seed.monitors.values())
    for machine in hosts:
        write(machine, "/etc/ceph/hci.conf", HOST_CONF % (seed.fsid, mon_host))
        write(machine, "/etc/ceph/hci.client.xcp.keyring", seed.keyrings["client.xcp"], 0o600)
    folder = conf_file(state).parent
    folder.mkdir(mode=0o700)
    keyring = folder / "admin.keyring"
    keyring.touch(mode=0o600)
    keyring.write_text(seed.keyrings["client.admin"], encoding="utf-8")
    text = "[global]\nfsid = %s\nmon_host = %s\nkeyring = %s\n" % (seed.fsid, mon_host, keyring)
    conf_file(state).write_text(text, encoding="utf-8")


def conf_file(state: State) -> Path:
    """The administrator's ceph.conf, for programs that run in the lab's own namespaces."""
    return state.live / "ceph" / "ceph.conf"


@contextmanager
def connect(state: State) -> "Iterator[rados.Rados]":
    """An administrator's connection, as soon as there is a quorum. Raises LabError."""
    deadline = time.monotonic() + DEADLINE
    while True:
        client = rados.Rados(conffile=str(conf_file(state)), name="client.admin", conf=TIMEOUTS)
        try:
            client.connect()
            break
        except rados.Error as error:
            client.shutdown()
            if time.monotonic() > deadline:
                raise LabError("Ceph's monitors do not answer: %s" % error) from error
    try:
        yield client
    finally:
        client.shutdown()


def create_pool(client: "rados.Rados", name: str) -> None:
    """A replicated pool, marked for RBD; its placement groups come up together with the OSDs."""
    command(client, prefix="osd pool create", pool=name, pg_num=PG_NUM, pgp_num=PG_NUM)
    command(client, prefix="osd pool application enable", pool=name, app="rbd")


def initialise_pool(client: "rados.Rados", name: str) -> None:
    """What `rbd pool init` does."""
    with contextlib.closing(client.open_ioctx(name)) as ioctx:
        rbd.RBD().pool_init(ioctx, True)


def wait_until_clean(client: "rados.Rados", disks: int) -> None:
    """Wait for all OSDs, a mgr, and every placement group active and clean; HEALTH_OK comes too early."""
    deadline = time.monotonic() + DEADLINE
    while reasons := _unready(client, disks):
        if time.monotonic() > deadline:
            raise LabError("Ceph is not healthy after %d s: %s" % (DEADLINE, ", ".join(reasons)))
        time.sleep(POLL)


def command(client: "rados.Rados", **arguments: object) -> Any:
    """One monitor command; its JSON answer, or None. Raises LabError."""
    code, output, text = client.mon_command(json.dumps({**arguments, "format": "json"}), b"")
    if code:
        raise LabError("ceph %s: %s (%s)" % (arguments["prefix"], text, os.strerror(-code)))
    return json.loads(output) if output else None


def _unready(client: "rados.Rados", disks: int) -> list[str]:
    status = command(client, prefix="status")
    up = status["osdmap"]["num_up_osds"]
    states = {entry["state_name"]: entry["count"] for entry in status["pgmap"]["pgs_by_state"]}
    wanted = status["pgmap"]["num_pgs"]
    reasons = []
    if up < disks:
        reasons.append("%d of %d OSDs are up" % (up, disks))
    if not status["mgrmap"]["available"]:
        reasons.append("no mgr is available")
    if not wanted or states.get("active+clean") != wanted:
        reasons.append("placement groups: %s" % (states or "unknown"))
    # A mgr is called available some time before its module for RBD's background work is ("not ready, try again").
    if not reasons and client.mgr_command(json.dumps({"prefix": "rbd task list"}), b"")[0]:
        reasons.append("the mgr takes no work for RBD yet")
    return reasons

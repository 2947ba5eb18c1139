"""This node's monitor: made once from the document, and whether it is in the quorum."""

import os
from typing import List, NamedTuple

from cephhci.node import durable
from cephhci.node.adminsocket import ask
from cephhci.node.conf import keyring, mon_address
from cephhci.node.document import Document
from cephhci.node.durable import Owner
from cephhci.node.errors import StateForeign
from cephhci.node.paths import Paths
from cephhci.node.tools import Tools

CLUSTER_FILE = "hci-cluster-fsid"  # inside the store: which cluster it belongs to


class Quorum(NamedTuple):
    """``state`` in the monitor's own words (probing, electing, peon, leader, ...); ``members`` by name."""

    state: str
    members: List[str]


def prepare(document: Document, paths: Paths, tools: Tools, owner: Owner) -> None:
    """Make the monitor's store unless there is a complete one. Raises StateForeign for another cluster's.

    The store gets its name when it is complete and on disk, so one cut short by power loss is made again.
    """
    store = paths.data("mon", document.node)
    if os.path.lexists(store):
        found = (durable.read(os.path.join(store, CLUSTER_FILE)) or "unknown").strip()
        if found != document.fsid:
            raise StateForeign(path=store, found=found, fsid=document.fsid)
    else:
        _make(document, store, tools, owner)
    durable.remove_tree(store + ".making")


def quorum(socket: str) -> Quorum:
    """What the running monitor says. Raises DaemonUnreachable."""
    status = ask(socket, "mon_status")
    ranks = status.get("quorum")
    monmap = status.get("monmap")
    mons = monmap.get("mons", []) if isinstance(monmap, dict) else []
    members = [mon["name"] for mon in mons if isinstance(ranks, list) and mon["rank"] in ranks]
    return Quorum(str(status.get("state")), members)


def _make(document: Document, store: str, tools: Tools, owner: Owner) -> None:
    making = store + ".making"
    monmap, boot = os.path.join(making, "monmap"), os.path.join(making, "keyring")
    data = os.path.join(making, "store")
    durable.remove_tree(making)
    durable.directory(making, 0o700, owner)
    durable.directory(data, 0o700, owner)
    durable.write(boot, keyring(sorted(document.auth.items())), 0o600, owner)
    addresses = {monitor.name: mon_address(monitor) for monitor in document.monitors}
    tools.monmap_create(monmap, document.fsid, addresses, tools.release())
    tools.mon_mkfs(document.node, data, monmap, boot)
    durable.write(os.path.join(data, "keyring"), keyring([("mon.", document.auth["mon."])]), 0o600, owner)
    durable.write(os.path.join(data, CLUSTER_FILE), document.fsid + "\n", 0o644, owner)
    durable.move_into_place(data, store)

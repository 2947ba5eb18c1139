"""What the story asks of the pool: its health by the project's own plugin, its space by Ceph's tools."""

import json
import time
from collections.abc import Callable
from typing import Any

from lab.lab import Lab, XeFailed
from lab.place import POOL, Place

POLL = 0.5


class Pool:
    """The pool of a running lab."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.place = Place(lab, namespace="")
        self._host = self.place.host_uuid("host1")

    def plugin(self, function: str, *arguments: str) -> str:
        """Call a function of the plugin hci on host1. Raises XeFailed."""
        return self.lab.xe(
            "host-call-plugin", "host-uuid=" + self._host, "plugin=hci", "fn=" + function, *arguments
        )

    def cluster(self) -> dict[str, Any]:
        """What the plugin says of the Ceph cluster."""
        clusters: list[dict[str, Any]] = json.loads(self.plugin("status"))["clusters"]
        assert clusters, "the plugin sees no Ceph cluster"
        return clusters[0]

    def wait_for_cluster(self, condition: Callable[[dict[str, Any]], bool], seconds: float, what: str) -> None:
        """Wait until the plugin says of the cluster what is wanted. Raises AssertionError with its last words."""
        deadline = time.monotonic() + seconds
        last = "nothing"
        while True:
            try:
                cluster = self.cluster()
                if cluster["reachable"] and condition(cluster):
                    return
                last = json.dumps(cluster)
            except XeFailed as error:  # while monitors elect a leader
                last = str(error)
            assert time.monotonic() < deadline, "%s: not within %d s; the plugin says: %s" % (what, seconds, last)
            time.sleep(POLL)

    def room(self) -> int:
        """Bytes that still fit into the Ceph pool, replicas considered."""
        return int(self._statistics()["max_avail"])

    def stored(self) -> int:
        """Bytes that the Ceph pool holds, replicas counted once."""
        return int(self._statistics()["stored"])

    def _statistics(self) -> dict[str, Any]:
        pools = self.place.ceph("df")["pools"]
        found: dict[str, Any] = next(pool["stats"] for pool in pools if pool["name"] == POOL)
        return found


def healthy(nodes: int) -> Callable[[dict[str, Any]], bool]:
    """Everything is there: ``nodes`` monitors and OSDs, a manager, every placement group clean, no complaint."""

    def condition(cluster: dict[str, Any]) -> bool:
        osds, groups = cluster["osds"], cluster["pgs"]
        return (
            cluster["verdict"] == "ok"
            and len(cluster["monitors"]["quorum"]) == nodes
            and osds["up"] == osds["total"] == nodes
            and groups["clean"] == groups["total"] > 0
        )

    return condition


def osds_up(wanted: int) -> Callable[[dict[str, Any]], bool]:
    """Exactly so many OSDs are up."""
    return lambda cluster: bool(cluster["osds"]["up"] == wanted)

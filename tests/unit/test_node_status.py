"""The phase of a node and the forms of its status."""

import json
from typing import Dict, List

from cephhci.node import status
from cephhci.node.status import DaemonStatus, DiskStatus, Status, decide_phase, find_problems

UP = DaemonStatus("running", 7, 0, "")
DOWN = DaemonStatus("waiting", None, 1, "exit code 1")
GONE = DaemonStatus("failed", None, 4, "killed by signal 6")


def test_nothing_wrong() -> None:
    disks = [DiskStatus("/dev/a", "active", 0, "", "")]
    assert find_problems(True, True, {"mon.a": UP, "osd.0": UP}, disks) == []
    assert find_problems(False, False, {"osd.0": UP}, disks) == []


def test_everything_wrong() -> None:
    daemons: Dict[str, DaemonStatus] = {"mon.a": DOWN, "osd.0": GONE}
    disks: List[DiskStatus] = [
        DiskStatus("/dev/a", "starting", 0, "", ""),
        DiskStatus("/dev/b", "failed", None, "HCI_DISK_REFUSED", "disk /dev/b is not empty (ext4)"),
    ]
    assert find_problems(True, False, daemons, disks) == [
        "the monitor is not in the quorum",
        "mon.a is not running (exit code 1)",
        "osd.0 was given up, it kept ending (killed by signal 6)",
        "disk /dev/a is not in service yet (starting)",
        "disk /dev/b is not empty (ext4)",
    ]


def test_phase() -> None:
    assert decide_phase([], False, 500, 120) == status.RUNNING
    assert decide_phase(["x"], False, 119, 120) == status.STARTING
    assert decide_phase(["x"], False, 121, 120) == status.DEGRADED
    assert decide_phase(["x"], True, 5, 120) == status.DEGRADED


def test_forms() -> None:
    full = Status(
        node="node1",
        fsid="f",
        boot_id="b",
        pid=1,
        phase="degraded",
        mon_state="peon",
        quorum=["node1", "node2"],
        daemons={"osd.0": UP},
        disks=[DiskStatus("/dev/a", "active", 0, "", ""), DiskStatus("/dev/b", "waiting", None, "", "")],
        problems=["disk /dev/b is not in service yet (waiting)"],
        last_error="",
    )
    text = status.to_text(json.loads(status.to_json(full)))
    assert text.splitlines() == [
        "node1: degraded",
        "cluster  f",
        "monitor  peon, quorum node1 node2",
        "daemon   osd.0 running, 0 restarts",
        "disk     /dev/a active (osd.0)",
        "disk     /dev/b waiting",
        "problem  disk /dev/b is not in service yet (waiting)",
    ]

"""What a node says about itself: a small JSON file, replaced whole, and its text form. No secrets.

The phase is decided by a pure function, so that every reader sees the same word for the same facts.
"""

import json
from typing import Dict, List, NamedTuple, Optional

SCHEMA = 1
STARTING, RUNNING, DEGRADED = "starting", "running", "degraded"
STOPPING, STOPPED, FAILED = "stopping", "stopped", "failed"
KILLED = "killed"  # never written: a reader's conclusion when hci-node is gone and did not stop in order


class DaemonStatus(NamedTuple):
    """A daemon as the supervisor sees it; ``last_end`` tells how it ended the last time."""

    state: str
    pid: Optional[int]
    restarts: int
    last_end: str


class DiskStatus(NamedTuple):
    """``state``: waiting, making, starting, active or failed; ``code`` and ``error`` say why it failed."""

    path: str
    state: str
    osd: Optional[int]
    code: str
    error: str


class Status(NamedTuple):
    """All that the status file holds."""

    node: str
    fsid: str
    boot_id: str
    pid: int
    phase: str
    mon_state: Optional[str]
    quorum: List[str]
    daemons: Dict[str, DaemonStatus]
    disks: List[DiskStatus]
    problems: List[str]
    last_error: str


def decide_phase(problems: List[str], was_running: bool, waited: float, patience: float) -> str:
    """RUNNING without problems; STARTING until ``patience`` seconds have passed, then DEGRADED."""
    if not problems:
        return RUNNING
    return DEGRADED if was_running or waited > patience else STARTING


def find_problems(
    has_mon: bool, in_quorum: bool, daemons: Dict[str, DaemonStatus], disks: List[DiskStatus]
) -> List[str]:
    """One sentence for each thing that keeps the node from being complete."""
    problems = []
    if has_mon and not in_quorum:
        problems.append("the monitor is not in the quorum")
    for name, daemon in sorted(daemons.items()):
        if daemon.state == "failed":
            problems.append("%s was given up, it kept ending (%s)" % (name, daemon.last_end))
        elif daemon.state != "running":
            problems.append("%s is not running (%s)" % (name, daemon.last_end))
    for disk in disks:
        if disk.error:
            problems.append(disk.error)
        elif disk.state != "active":
            problems.append("disk %s is not in service yet (%s)" % (disk.path, disk.state))
    return problems


def to_json(status: Status) -> str:
    """The status file's text."""
    document = {
        "schema": SCHEMA,
        "node": status.node,
        "fsid": status.fsid,
        "boot_id": status.boot_id,
        "pid": status.pid,
        "phase": status.phase,
        "mon": {"state": status.mon_state, "quorum": status.quorum},
        "daemons": {name: daemon._asdict() for name, daemon in status.daemons.items()},
        "disks": [disk._asdict() for disk in status.disks],
        "problems": status.problems,
        "last_error": status.last_error,
    }
    return json.dumps(document, indent=1, sort_keys=True) + "\n"


def to_text(document: Dict[str, object]) -> str:
    """The file's content for a person; takes what ``to_json`` wrote."""
    mon, daemons, disks = document["mon"], document["daemons"], document["disks"]
    lines = ["%s: %s" % (document["node"], document["phase"]), "cluster  %s" % document["fsid"]]
    if isinstance(mon, dict) and mon["state"]:
        lines.append("monitor  %s, quorum %s" % (mon["state"], " ".join(mon["quorum"]) or "none"))
    if isinstance(daemons, dict):
        for name, daemon in sorted(daemons.items()):
            lines.append("daemon   %s %s, %d restarts" % (name, daemon["state"], daemon["restarts"]))
    if isinstance(disks, list):
        lines.extend(_disk_line(disk) for disk in disks)
    problems = document["problems"]
    if isinstance(problems, list):
        lines.extend("problem  %s" % problem for problem in problems)
    return "\n".join(lines) + "\n"


def _disk_line(disk: Dict[str, object]) -> str:
    osd = "" if disk["osd"] is None else " (osd.%s)" % disk["osd"]
    return "disk     %s %s%s" % (disk["path"], disk["state"], osd)

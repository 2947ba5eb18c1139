"""What `ceph status` means for the operator; pure."""

from typing import Any, Dict, List, Mapping, NamedTuple, Tuple

OK = "ok"
WARNING = "warning"
ERROR = "error"
RANK = (OK, WARNING, ERROR)
BY_CEPH = {"HEALTH_OK": OK, "HEALTH_WARN": WARNING, "HEALTH_ERR": ERROR}


class Health(NamedTuple):
    """The state of a cluster in numbers, and its checks as (code, severity, sentence)."""

    verdict: str
    checks: Tuple[Tuple[str, str, str], ...]
    monitors: int
    quorum: Tuple[str, ...]
    manager: bool
    osds: int
    osds_up: int
    osds_in: int
    pgs: int
    pgs_clean: int


def summarise(status: Mapping[str, Any]) -> Health:
    """Read the JSON of the monitor command ``status`` (Nautilus to Reef: the osdmap moved one level up)."""
    osdmap = status["osdmap"].get("osdmap", status["osdmap"])
    pgmap = status["pgmap"]
    checks = tuple(
        (code, BY_CEPH.get(check["severity"], ERROR), str(check["summary"]["message"]))
        for code, check in sorted(status["health"].get("checks", {}).items())
    )
    clean = sum(s["count"] for s in pgmap.get("pgs_by_state", []) if s["state_name"] == "active+clean")
    return Health(
        verdict=BY_CEPH.get(status["health"]["status"], ERROR),
        checks=checks,
        monitors=int(status["monmap"].get("num_mons", len(status["monmap"].get("mons", [])))),
        quorum=tuple(status["quorum_names"]),
        manager=bool(status["mgrmap"].get("available")),
        osds=int(osdmap["num_osds"]),
        osds_up=int(osdmap["num_up_osds"]),
        osds_in=int(osdmap["num_in_osds"]),
        pgs=int(pgmap.get("num_pgs", 0)),
        pgs_clean=clean,
    )


def worst(verdicts: List[str]) -> str:
    """The most serious of several verdicts; ``ok`` of none."""
    return max(verdicts, key=RANK.index) if verdicts else OK


def as_json(health: Health) -> Dict[str, object]:
    """The same with the keys that clients may rely on."""
    return {
        "verdict": health.verdict,
        "checks": [{"code": c, "severity": s, "summary": text} for c, s, text in health.checks],
        "monitors": {"total": health.monitors, "quorum": list(health.quorum)},
        "manager": health.manager,
        "osds": {"total": health.osds, "up": health.osds_up, "in": health.osds_in},
        "pgs": {"total": health.pgs, "clean": health.pgs_clean},
    }

"""The answer to ``fn=status``: the pool, its Ceph clusters and its SRs in one document."""

from typing import Any, Dict, List

from cephhci import health
from cephhci.table import render
from cephhci.xapi.port import PoolRecord, SrRecord

GIB = float(1 << 30)


def report(record: PoolRecord, clusters: List[Dict[str, Any]]) -> Dict[str, Any]:
    """Put together what was read; pure."""
    srs = [_sr(sr) for sr in record.srs]
    hosts = [
        {"uuid": h.uuid, "name": h.name, "address": h.address, "live": h.live, "enabled": h.enabled}
        for h in sorted(record.hosts, key=lambda host: host.name)
    ]
    verdicts = [str(part["verdict"]) for part in clusters + srs]
    verdicts += [health.ERROR for host in record.hosts if not host.live]
    return {
        "verdict": health.worst(verdicts),
        "pool": {
            "uuid": record.uuid,
            "name": record.name,
            "master": record.master,
            "ha": record.ha,
            "driver_registered": record.driver_registered,
            "hosts": hosts,
        },
        "clusters": clusters,
        "srs": srs,
    }


def text(document: Dict[str, Any]) -> str:
    """The same for a person."""
    pool = document["pool"]
    names = {host["uuid"]: host["name"] for host in pool["hosts"]}
    parts = [
        "%s: pool %s, master %s, HA %s"
        % (
            str(document["verdict"]).upper(),
            pool["name"] or pool["uuid"],
            names.get(pool["master"]),
            "on" if pool["ha"] else "off",
        ),
        render(
            ("HOST", "ADDRESS", "STATE"),
            [(h["name"], h["address"], "live" if h["live"] else "NOT LIVE") for h in pool["hosts"]],
        ),
    ]
    parts += [_cluster_text(cluster) for cluster in document["clusters"]]
    parts.append(_srs_text(document["srs"], names))
    return "\n\n".join(parts)


def _sr(sr: SrRecord) -> Dict[str, Any]:
    attached = sorted(a.host for a in sr.attachments if a.attached)
    detached = sorted(a.host for a in sr.attachments if not a.attached)
    return {
        "uuid": sr.uuid,
        "name": sr.name,
        "verdict": health.ERROR if not attached else health.WARNING if detached else health.OK,
        "attached": attached,
        "detached": detached,
        "size": sr.size,
        "used": sr.used,
        "allocated": sr.allocated,
        "disks": sr.disks,
    }


def _cluster_text(cluster: Dict[str, Any]) -> str:
    heading = "Ceph cluster %s: %s" % (cluster["cluster"], str(cluster["verdict"]).upper())
    if not cluster["reachable"]:
        return "%s\n  %s" % (heading, cluster["reason"])
    monitors, osds, pgs = cluster["monitors"], cluster["osds"], cluster["pgs"]
    lines = [
        heading,
        "  %d of %d monitors, manager %s, %d of %d OSDs up, %d of %d PGs clean"
        % (
            len(monitors["quorum"]),
            monitors["total"],
            "there" if cluster["manager"] else "MISSING",
            osds["up"],
            osds["total"],
            pgs["clean"],
            pgs["total"],
        ),
    ]
    return "\n".join(lines + ["  %s: %s" % (check["code"], check["summary"]) for check in cluster["checks"]])


def _srs_text(srs: List[Dict[str, Any]], names: Dict[str, str]) -> str:
    if not srs:
        return "No SR of type ceph"
    rows = [
        (
            sr["name"],
            str(sr["verdict"]).upper(),
            "%.1f of %.1f GiB" % (sr["used"] / GIB, sr["size"] / GIB),
            str(sr["disks"]),
            ", ".join(names.get(host, host) for host in sr["detached"]) or "-",
        )
        for sr in srs
    ]
    return render(("SR", "STATE", "USED", "DISKS", "NOT ATTACHED ON"), rows)

"""Which Ceph clusters a host uses, and how they are."""

import os
from typing import Any, Callable, Dict, List, Mapping, NamedTuple, cast

from cephhci import deviceconfig, errors, health
from cephhci.ceph.port import Cluster
from cephhci.target import Target
from cephhci.xapi.port import PoolRecord, XapiPool

SECONDS = 7
Connect = Callable[[Target, int], Cluster]


class Used(NamedTuple):
    """A cluster as an SR, or a file in /etc/ceph, names it."""

    name: str
    target: Target


def used_by(host: str, record: PoolRecord, pool: XapiPool, folder: str = deviceconfig.FOLDER) -> List[Used]:
    """The clusters of the SRs that ``host`` attaches, and the default one if the host has its file."""
    found: Dict[Target, str] = {}
    default = os.path.join(folder, "%s.conf" % deviceconfig.DEFAULT_CLUSTER)
    if os.path.exists(default):
        found[Target(deviceconfig.DEFAULT_USER, default, "", "")] = deviceconfig.DEFAULT_CLUSTER
    for sr in record.srs:
        for attachment in sr.attachments:
            if attachment.host == host:
                target = _target(dict(attachment.config), pool)
                found.setdefault(target, os.path.basename(target.conffile)[: -len(".conf")] or target.monitors)
    return [Used(name, target) for target, name in found.items()]


def examine(used: Used, connect: Connect) -> Dict[str, Any]:
    """The health of a cluster with stable keys; one that cannot be asked is reported, not raised."""
    report: Dict[str, Any] = {"cluster": used.name, "user": used.target.user, "reachable": False}
    try:
        cluster = connect(used.target, SECONDS)
        try:
            report["fsid"] = cluster.fsid()
            status = cast(Mapping[str, Any], cluster.command("status"))
        finally:
            cluster.close()
    except errors.Error as error:
        return dict(report, verdict=health.ERROR, error=error.code, reason=error.sentence)
    return dict(report, reachable=True, **health.as_json(health.summarise(status)))


def distinct(reports: List[Dict[str, Any]]) -> List[Dict[str, Any]]:
    """One report for a cluster that two SRs name differently; those that did not answer are all kept."""
    seen: Dict[str, Dict[str, Any]] = {}
    for report in reports:
        seen.setdefault(str(report.get("fsid", report["cluster"])), report)
    return list(seen.values())


def _target(config: Mapping[str, str], pool: XapiPool) -> Target:
    checked = deviceconfig.parse(config)
    password = pool.secret(checked.secret) if checked.secret else checked.password
    return deviceconfig.target(checked, password)

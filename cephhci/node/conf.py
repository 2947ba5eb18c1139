"""ceph.conf and keyring texts of a node. Pure.

https://docs.ceph.com/en/pacific/rados/configuration/ceph-conf/
"""

from typing import Dict, Iterable, List, Tuple

from cephhci.node.document import SECTIONS, Credential, Document, Monitor
from cephhci.node.paths import Paths

# Production defaults that differ from Ceph's own, or that we rely on; a document may override them.
DEFAULTS: Dict[str, Dict[str, str]] = {
    "global": {
        # Three copies on three hosts; I/O goes on with one host away and never with a single copy.
        "osd_pool_default_size": "3",
        "osd_pool_default_min_size": "2",
    },
    "mon": {
        # CVE-2021-20288: clients that reclaim a global id without proof. All our clients are new enough.
        "auth_allow_insecure_global_id_reclaim": "false",
        "mon_allow_pool_size_one": "false",
        "mon_allow_pool_delete": "false",
        # A snapshot is a monitor commit: with Ceph's 1.0 s a VM of 4 disks took 3.5 s, with 0.1 s 0.5 s.
        "paxos_propose_interval": "0.1",
    },
    "mgr": {},
    "osd": {},
    "client": {},
}


def mon_address(monitor: Monitor) -> str:
    """Both protocols: dom0's kernel client (4.19) speaks only v1."""
    return "[v2:%s:3300,v1:%s:6789]" % (monitor.address, monitor.address)


def ceph_conf(document: Document, paths: Paths) -> str:
    """The text of ceph.conf for all daemons and commands on this node."""
    derived = _derived(document, paths)
    lines = ["# Written by hci-node at every start; changes belong into the node's document."]
    for section in SECTIONS:
        settings = dict(DEFAULTS[section])
        settings.update(document.options.get(section, {}))
        settings.update(derived[section])
        lines.append("\n[%s]" % section)
        lines.extend("%s = %s" % pair for pair in sorted(settings.items()))
    return "\n".join(lines) + "\n"


def _derived(document: Document, paths: Paths) -> Dict[str, Dict[str, str]]:
    derived = {section: _files(section, paths) for section in ("mon", "mgr", "osd")}
    derived["client"] = {"keyring": paths.keyring("$name")}
    derived["global"] = {
        "fsid": document.fsid,
        "mon_host": ",".join(mon_address(monitor) for monitor in document.monitors),
        "public_network": document.public.network,
        "cluster_network": document.cluster.network,
        "auth_cluster_required": "cephx",
        "auth_service_required": "cephx",
        "auth_client_required": "cephx",
        "run_dir": paths.run,
        "crash_dir": paths.crash,
    }
    derived["mgr"]["public_addr"] = document.public.address
    derived["osd"]["public_addr"] = document.public.address
    derived["osd"]["cluster_addr"] = document.cluster.address
    derived["osd"]["crush_location"] = "root=%s host=%s" % (document.crush_root, document.crush_host)
    return derived


def _files(kind: str, paths: Paths) -> Dict[str, str]:
    # The keyring stands in each daemon's own section: one in [global] replaces the monitors' own, and they
    # never form a quorum ("no AuthAuthorizeHandler found").
    data = paths.data(kind, "$id")
    return {
        kind + "_data": data,
        "keyring": data + "/keyring",
        "log_file": paths.log + "/ceph-$name.log",
        "admin_socket": paths.socket("$name"),
    }


def keyring(credentials: Iterable[Tuple[str, Credential]]) -> str:
    """A keyring file's text with the given entities and their capabilities."""
    lines: List[str] = []
    for entity, credential in credentials:
        lines.append("[%s]" % entity)
        lines.append("\tkey = %s" % credential.key)
        for service, caps in sorted(credential.caps.items()):
            lines.append('\tcaps %s = "%s"' % (service, caps.replace("\\", "\\\\").replace('"', '\\"')))
    return "\n".join(lines) + "\n"

"""A connection to a real cluster, on the librados bindings."""

import json
from typing import Dict, List, Mapping, Optional

import rados
import rbd

from cephhci import errors
from cephhci.ceph.pool import RadosPool
from cephhci.ceph.port import Cluster, Pool
from cephhci.ceph.translate import from_errno, translated
from cephhci.target import Target

CONNECT_SECONDS = 7
QUICK_SECONDS = 7  # for what XAPI serialises over all SRs of a host: attach and probe
PATIENT_SECONDS = 30  # longer than the election of a monitor (15 s) and the detection of a dead OSD (26 s)


def connect(target: Target, seconds: int) -> "RadosCluster":
    """Open a connection on which every call ends within ``seconds`` or raises ClusterUnreachable."""
    conf = _options(target, seconds)
    try:
        # With neither a file nor a name librados reads no configuration at all, which is what monitors mean.
        handle = rados.Rados(rados_id=target.user, conffile=target.conffile or None, conf=conf)
    except rados.ObjectNotFound as error:
        raise errors.ClusterUnreachable(
            what="connecting as client.%s" % target.user, reason="there is no %s" % target.conffile
        ) from error
    what = "connecting as client.%s" % target.user
    # librados reports a missing or unusable keyring as "object not found" (errno 2) or EINVAL.
    denied = lambda: errors.AccessDenied(what=what, user=target.user)  # noqa: E731
    try:
        with translated(what, target.user, {2: denied, 22: denied}):
            handle.connect()
    except errors.Error:
        handle.shutdown()
        raise
    return RadosCluster(handle, target.user)


def _options(target: Target, seconds: int) -> Dict[str, str]:
    options = {
        # connect(timeout=) and mon_command(timeout=) are ignored by librados; only these options bound a call.
        "client_mount_timeout": str(CONNECT_SECONDS),
        "rados_mon_op_timeout": str(seconds),
        "rados_osd_op_timeout": str(seconds),
        # Nothing may reach stdout or stderr: XAPI parses the one and shows the other.
        "log_to_stderr": "false",
        "err_to_stderr": "false",
        "log_file": "",
        "admin_socket": "",
        # Clone v2 does not depend on what the oldest client of the cluster can do.
        "rbd_default_clone_format": "2",
    }
    if target.monitors:
        options["mon_host"] = target.monitors
    if target.key:
        options["key"] = target.key
    return options


class RadosCluster(Cluster):
    """See Cluster; made by ``connect``."""

    def __init__(self, handle: "rados.Rados", user: str) -> None:
        self._handle = handle
        self._user = user

    def fsid(self) -> str:
        fsid = self._handle.get_fsid()
        return fsid.decode("ascii") if isinstance(fsid, bytes) else str(fsid)

    def command(self, prefix: str, arguments: Optional[Mapping[str, object]] = None) -> object:
        request = dict(arguments or {}, prefix=prefix, format="json")
        with translated(prefix, self._user):
            status, output, reason = self._handle.mon_command(json.dumps(request), b"")
        if status:
            raise from_errno(-status, prefix, self._user, reason)
        return json.loads(output.decode("utf-8")) if output.strip() else None

    def pools(self) -> List[str]:
        with translated("listing pools", self._user):
            return list(self._handle.list_pools())

    def pool(self, name: str, namespace: str = "") -> Pool:
        if namespace and namespace not in self.namespaces(name):
            raise errors.NamespaceMissing(pool=name, namespace=namespace)
        context = self._open(name)
        context.set_namespace(namespace)
        return RadosPool(self, self._handle, context, self._user, namespace)

    def namespaces(self, pool: str) -> List[str]:
        context = self._open(pool)
        with translated("listing namespaces of pool %s" % pool, self._user):
            return list(rbd.RBD().namespace_list(context))

    def fence(self, client: str) -> None:
        # "blocklist" came with Pacific; a Nautilus cluster knows only the old word.
        try:
            self.command("osd blocklist", {"blocklistop": "add", "addr": client})
        except errors.CephFailed as error:
            if error.fields["number"] != 22:
                raise
            self.command("osd blacklist", {"blacklistop": "add", "addr": client})
        # Later operations of this connection carry the map that contains the blocklist, so an OSD that sees one
        # of them refuses the fenced client from then on.
        with translated("waiting for the blocklist", self._user):
            self._handle.wait_for_latest_osdmap()

    def close(self) -> None:
        self._handle.shutdown()

    def _open(self, name: str) -> "rados.Ioctx":
        def missing() -> errors.Error:
            return errors.PoolMissing(pool=name, existing=", ".join(self.pools()) or "none")

        with translated("opening pool %s" % name, self._user, {2: missing}):
            context = self._handle.open_ioctx(name)
        # Lets removals through when the cluster is full (also in the 14.2 bindings); creation then fails at once
        # with ENOSPC instead of hanging.
        context.set_osdmap_full_try()
        return context

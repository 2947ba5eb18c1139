"""Where a node keeps its files: every path below one root (``/`` in the node VM)."""

import os

from cephhci.node.errors import StateUnusable

SOCKET_PATH_LIMIT = 107  # bytes of sun_path in a unix socket address


class Paths:
    """Names of files and directories; makes nothing."""

    def __init__(self, root: str = "/") -> None:
        self.root = os.path.abspath(root)
        self.etc = self._below("etc/ceph")
        self.state = self._below("var/lib/ceph")
        self.own_state = self._below("var/lib/ceph/hci-node")
        self.log = self._below("var/log/ceph")
        self.run = self._below("run/ceph")
        self.own_run = self._below("run/hci-node")
        self.conf = os.path.join(self.etc, "ceph.conf")
        self.crash = os.path.join(self.state, "crash")
        self.bootstrap_keyring = os.path.join(self.state, "bootstrap-osd", "ceph.keyring")
        self.new_osds = os.path.join(self.own_state, "new-osds.json")
        self.status = os.path.join(self.own_run, "status.json")
        self.lock = os.path.join(self.own_run, "lock")
        if len(self.socket("client.bootstrap-osd").encode("utf-8")) > SOCKET_PATH_LIMIT:
            raise StateUnusable(path=self.root, reason="is too long for the paths of unix sockets below it")

    def _below(self, path: str) -> str:
        return os.path.join(self.root, path)

    def data(self, kind: str, name: str) -> str:
        """Data directory of a daemon; ``kind`` is mon, mgr or osd."""
        return os.path.join(self.state, kind, "ceph-" + name)

    def keyring(self, entity: str) -> str:
        return os.path.join(self.etc, "ceph.%s.keyring" % entity)

    def socket(self, daemon: str) -> str:
        return os.path.join(self.run, "ceph-%s.asok" % daemon)

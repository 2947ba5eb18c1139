"""How to reach a cluster; pure."""

from typing import NamedTuple


class Target(NamedTuple):
    """A Ceph user, and either a file in /etc/ceph or monitors and a key. ``key`` is never printed."""

    user: str
    conffile: str
    monitors: str
    key: str

    def __repr__(self) -> str:
        return "Target(user=%r, conffile=%r, monitors=%r)" % (self.user, self.conffile, self.monitors)

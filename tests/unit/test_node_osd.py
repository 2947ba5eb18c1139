"""An interrupted OSD is finished as the same OSD."""

import itertools
import os
from pathlib import Path
from typing import Any, Dict, List, Tuple

import pytest

from cephhci.errors import CommandFailed
from cephhci.node.durable import Owner
from cephhci.node.errors import StateUnusable
from cephhci.node.osd import Intent, Osds
from cephhci.node.paths import Paths
from cephhci.node.tools import Tools

DISK = "/dev/null"


class Cluster(Tools):
    """`osd new` as the monitors do it; fails where told to."""

    def __init__(self) -> None:
        super().__init__("/nowhere", Owner(os.getuid(), os.getgid()))
        self.osds: Dict[str, Tuple[int, str]] = {}
        self.made: List[Tuple[int, str, str]] = []
        self.fail = ""

    def osd_new(self, uuid: str, key: str, keyring: str) -> int:
        number, known = self.osds.setdefault(uuid, (len(self.osds), key))
        if known != key or self.fail == "after new":
            raise CommandFailed(program="ceph", status="exit code 17", stderr="EEXIST")
        return number

    def osd_mkfs(self, number: int, uuid: str, data: str, key: str) -> None:
        if self.fail == "mkfs":
            raise CommandFailed(program="ceph-osd", status="killed", stderr="")
        assert os.readlink(os.path.join(data, "block")) == DISK
        self.made.append((number, uuid, key))

    def prime_osd_dir(self, device: str, data: str) -> None:
        assert os.listdir(data) == ["block"]


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


def start(folder: Path, cluster: Cluster) -> Osds:
    """hci-node after a boot: nothing but the files remains."""
    paths = Paths(str(folder))
    os.makedirs(paths.own_state, exist_ok=True)
    numbers = itertools.count(len(cluster.osds) * 10)
    return Osds(paths, cluster, Owner(os.getuid(), os.getgid()), lambda: Intent("u%d" % next(numbers), "secret"))


@pytest.fixture(autouse=True)
def _no_chown(monkeypatch: Any) -> None:
    # The tests do not run as root, and the "disk" is a device of the whole machine.
    monkeypatch.setattr(os, "chown", lambda path, uid, gid: None)


@pytest.mark.parametrize("fail", ["after new", "mkfs"])
def test_a_repeat_asks_for_the_same_osd(tmp_path: Path, cluster: Cluster, fail: str) -> None:
    cluster.fail = fail
    with pytest.raises(CommandFailed):
        start(tmp_path, cluster).make(DISK, None)
    cluster.fail = ""
    again = start(tmp_path, cluster)
    assert again.intended(DISK) == "u0"
    assert again.make(DISK, None) == 0
    assert list(cluster.osds) == ["u0"] and cluster.made == [(0, "u0", "secret")]


def test_a_complete_osd_is_forgotten(tmp_path: Path, cluster: Cluster) -> None:
    osds = start(tmp_path, cluster)
    osds.get_ready(DISK, osds.make(DISK, None))
    assert osds.intended(DISK) is None
    assert "secret" not in (tmp_path / "var/lib/ceph/hci-node/new-osds.json").read_text(encoding="utf-8")
    osds.get_ready(DISK, 0)


def test_the_document_chooses_the_uuid(tmp_path: Path, cluster: Cluster) -> None:
    start(tmp_path, cluster).make(DISK, "wanted")
    assert list(cluster.osds) == ["wanted"]


def test_a_damaged_memory_is_an_error(tmp_path: Path, cluster: Cluster) -> None:
    osds = start(tmp_path, cluster)
    (tmp_path / "var/lib/ceph/hci-node/new-osds.json").write_text("[1]", encoding="utf-8")
    with pytest.raises(StateUnusable):
        osds.make(DISK, None)
    assert cluster.osds == {}

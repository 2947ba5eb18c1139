"""The cluster is gone for one host: everything ends in time, and nothing is forgotten."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from lab.lab import Lab, XeFailed
from lab.place import Place

ATTACH_SECONDS = 15


@contextmanager
def cut(lab: Lab, host: str) -> Iterator[None]:
    """A host without network; its own XAPI still answers on it."""
    lab.machine(host).cut()
    try:
        yield
    finally:
        lab.machine(host).heal()


def test_attach_ends_in_time(place: Place, sr: str) -> None:
    pbd = place.pbds(sr, "host1")[0]
    place.lab.xe("pbd-unplug", "uuid=" + pbd)
    with cut(place.lab, "host1"):
        started = time.monotonic()
        with pytest.raises(XeFailed) as caught:
            place.lab.xe("pbd-plug", "uuid=" + pbd)
        assert time.monotonic() - started < ATTACH_SECONDS
        assert "SR_BACKEND_FAILURE_47" in str(caught.value) and "HCI_CLUSTER_UNREACHABLE" in str(caught.value)
    place.lab.xe("pbd-plug", "uuid=" + pbd)


def test_scan_raises_and_forgets_nothing(place: Place, sr: str) -> None:
    vdi = place.create_disk(sr)
    with cut(place.lab, "host1"):
        with pytest.raises(XeFailed) as caught:
            place.lab.xe("sr-scan", "uuid=" + sr)
        assert "HCI_CLUSTER_UNREACHABLE" in str(caught.value)
        assert place.disks(sr) == [vdi]
    place.lab.xe("sr-scan", "uuid=" + sr)
    assert place.disks(sr) == [vdi]


def test_detach_works_and_the_disk_stays_with_its_host(place: Place, sr: str) -> None:
    lab = place.lab
    vdi = place.create_disk(sr)
    disk = place.plug(vdi, "host1")
    pbd = place.pbds(sr, "host1")[0]
    with cut(lab, "host1"):
        place.unplug(disk)
        lab.xe("pbd-unplug", "uuid=" + pbd)
    lab.xe("pbd-plug", "uuid=" + pbd)
    # The claim could not be given back, and host1 lives: nobody else may write.
    assert place.index()["vdi." + vdi]["writer"][0] == place.host_uuid("host1")
    with pytest.raises(XeFailed) as caught:
        place.plug(vdi, "host2")
    assert "HCI_DISK_HELD" in str(caught.value)
    place.unplug(place.plug(vdi, "host1"))
    place.unplug(place.plug(vdi, "host2"))
    # Ceph keeps the watch of the client that went without a word for 30 s; until then the disk counts as in use.
    place.wait_unwatched(vdi)

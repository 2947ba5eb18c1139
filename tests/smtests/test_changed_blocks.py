"""Changed-block tracking through xe, held against the bytes of the two snapshots."""

import base64

import pytest

from lab.lab import XeFailed
from lab.place import Place

MIB = 1 << 20
BLOCK = 64 * 1024
# Patterns: a small one, one over a block's edge, a whole object, and one that writes what is there already.
WRITES = {
    "dd if=/dev/urandom of=%s bs=4096 seek=20 count=1",
    "dd if=/dev/urandom of=%s bs=4096 seek=1039 count=2",
    "dd if=/dev/urandom of=%s bs=1M seek=8 count=4",
}
COMPARE = """
import sys
one, two = (open(path, "rb") for path in sys.argv[1:3])
number = 0
while True:
    left, right = one.read(65536), two.read(65536)
    if not right:
        break
    if left != right:
        print(number)
    number += 1
"""


def blocks(place: Place, since: str, until: str) -> set[int]:
    """Numbers of the changed blocks."""
    raw = base64.b64decode(
        place.lab.xe("vdi-list-changed-blocks", "vdi-from-uuid=" + since, "vdi-to-uuid=" + until), validate=True
    )
    size = int(place.lab.xe("vdi-param-get", "uuid=" + until, "param-name=virtual-size"))
    assert len(raw) * 8 == size // BLOCK
    return {number for number in range(len(raw) * 8) if raw[number // 8] & (0x80 >> (number % 8))}


def different(place: Place, older: str, newer: str) -> set[int]:
    """Numbers of the blocks whose bytes differ, read through the attach path of a third host."""
    disks = [place.plug(vdi, "host3", "RO") for vdi in (older, newer)]
    done = place.lab.machine("host3").run(["python3", "-c", COMPARE, *(disk.device for disk in disks)])
    assert done.returncode == 0, done.stderr
    for disk in disks:
        place.unplug(disk)
    return {int(number) for number in done.stdout.split()}


def test_a_chain_of_backups(place: Place, sr: str) -> None:
    lab, host = place.lab, place.lab.machine("host2")
    vdi = place.create_disk(sr, size="32MiB")
    lab.xe("vdi-enable-cbt", "uuid=" + vdi)
    disk = place.plug(vdi, "host2")
    host.run(["sh", "-c", "dd if=/dev/urandom of=%s bs=1M count=16 oflag=direct status=none" % disk.device])
    chain = [lab.xe("vdi-snapshot", "uuid=" + vdi)]
    for write in sorted(WRITES):
        done = host.run(["sh", "-c", (write + " oflag=direct conv=notrunc,fsync status=none") % disk.device])
        assert done.returncode == 0, done.stderr
        chain.append(lab.xe("vdi-snapshot", "uuid=" + vdi))
    place.unplug(disk)
    assert lab.xe("vdi-param-get", "uuid=" + chain[0], "param-name=cbt-enabled") == "true"
    for older, newer in [*zip(chain, chain[1:], strict=False), (chain[0], chain[-1])]:
        told, truth = blocks(place, older, newer), different(place, older, newer)
        assert truth and truth <= told, "a changed block was not named"
        # An object that had no older version is named from its beginning; these all had one.
        assert told == truth
    assert blocks(place, chain[-1], vdi) == set()


def test_growth_data_destroy_and_scan(place: Place, sr: str) -> None:
    lab = place.lab
    vdi = place.create_disk(sr)
    lab.xe("vdi-enable-cbt", "uuid=" + vdi)
    older = lab.xe("vdi-snapshot", "uuid=" + vdi)
    lab.xe("vdi-resize", "uuid=" + vdi, "disk-size=20MiB")
    newer = lab.xe("vdi-snapshot", "uuid=" + vdi)
    grown = set(range(16 * MIB // BLOCK, 20 * MIB // BLOCK))
    assert blocks(place, older, newer) == grown
    lab.xe("vdi-data-destroy", "uuid=" + older)
    lab.xe("sr-scan", "uuid=" + sr)
    assert lab.xe("vdi-param-get", "uuid=" + older, "param-name=type").lower() == "cbt_metadata"
    assert blocks(place, older, newer) == grown
    lab.xe("vdi-destroy", "uuid=" + older)
    lab.xe("vdi-disable-cbt", "uuid=" + vdi)
    lab.xe("sr-scan", "uuid=" + sr)
    assert lab.xe("vdi-param-get", "uuid=" + vdi, "param-name=cbt-enabled") == "false"
    assert sorted(place.disks(sr)) == sorted([vdi, newer])


def test_what_cannot_be_told(place: Place, sr: str) -> None:
    lab = place.lab
    vdi, other = place.create_disk(sr), place.create_disk(sr)
    for disk in (vdi, other):
        lab.xe("vdi-enable-cbt", "uuid=" + disk)
    snapshots = [lab.xe("vdi-snapshot", "uuid=" + disk) for disk in (vdi, vdi, other)]
    for since, until in ((snapshots[1], snapshots[0]), (snapshots[0], snapshots[2]), (vdi, snapshots[0])):
        with pytest.raises(XeFailed) as caught:
            blocks(place, since, until)
        assert "SR_BACKEND_FAILURE_460" in str(caught.value) and "full backup" in str(caught.value)
    clone = lab.xe("vdi-clone", "uuid=" + vdi)
    assert lab.xe("vdi-param-get", "uuid=" + clone, "param-name=cbt-enabled") == "false"

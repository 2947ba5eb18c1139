"""Snapshots, clones and growth through xe, on real images, with and without a writer."""

import pytest

from lab.lab import Completed, XeFailed
from lab.place import Disk, Place

MIB = 1 << 20


def run(place: Place, host: str, command: str) -> Completed:
    """A shell command on a host, which must succeed."""
    done = place.lab.machine(host).run(["sh", "-c", command])
    assert done.returncode == 0, done.stderr
    return done


def fill(place: Place, host: str, disk: Disk, letter: str) -> None:
    """Fill the first 4 MiB of a disk with one letter."""
    run(place, host, "head -c 4194304 /dev/zero | tr '\\0' '%s' | dd of=%s bs=1M oflag=direct iflag=fullblock "
        "conv=fsync,notrunc status=none" % (letter, disk.device))  # fmt: skip


def first_letter(place: Place, vdi: str, host: str) -> str:
    """What a disk or snapshot holds, read through its own attach path; the whole 4 MiB must agree."""
    disk = place.plug(vdi, host, "RO")
    done = run(place, host, "dd if=%s bs=1M count=4 iflag=direct status=none | fold -w 1 | sort -u" % disk.device)
    place.unplug(disk)
    letters = done.stdout.split()
    assert len(letters) == 1, letters
    return letters[0]


def field(place: Place, vdi: str, name: str) -> str:
    """A field of a VDI."""
    return place.lab.xe("vdi-param-get", "uuid=" + vdi, "param-name=" + name)


def test_snapshot_of_a_disk_in_use(place: Place, sr: str) -> None:
    vdi = place.create_disk(sr, "base")
    disk = place.plug(vdi, "host2")
    fill(place, "host2", disk, "a")
    snapshot = place.lab.xe("vdi-snapshot", "uuid=" + vdi)
    fill(place, "host2", disk, "b")
    assert (field(place, snapshot, "is-a-snapshot"), field(place, snapshot, "snapshot-of")) == ("true", vdi)
    assert (field(place, snapshot, "read-only"), field(place, snapshot, "virtual-size")) == ("true", str(16 * MIB))
    assert field(place, snapshot, "name-label") == "base"
    assert [first_letter(place, snapshot, host) for host in ("host1", "host3")] == ["a", "a"]
    place.unplug(disk)
    assert first_letter(place, vdi, "host1") == "b"
    assert place.index()["vdi." + snapshot]["snapshot_of"] == vdi


def test_a_writer_goes_on_through_snapshots(place: Place, sr: str) -> None:
    """Numbers are written one after the other; every snapshot holds a prefix of them, without a hole."""
    vdi = place.create_disk(sr)
    disk = place.plug(vdi, "host2")
    program = (
        "import os, sys\n"
        "fd = os.open(sys.argv[1], os.O_RDWR | os.O_SYNC)\n"
        "for n in range(2000):\n"
        "    os.pwrite(fd, (b'%08d' % (n + 1)) * 512, n % 2048 * 4096)\n"
        "    print(n + 1, flush=True)\n"
    )
    start = "nohup python3 /tmp/writer.py %s > /tmp/written 2>&1 & echo $! > /tmp/writer.pid" % disk.device
    run(place, "host2", "cat > /tmp/writer.py <<'END'\n%s\nEND\n%s" % (program, start))
    acknowledged, snapshots = [], []
    for _ in range(3):
        run(place, "host2", "sleep 0.5")
        acknowledged.append(int(run(place, "host2", "tail -n 1 /tmp/written || echo 0").stdout or 0))
        snapshots.append(place.lab.xe("vdi-snapshot", "uuid=" + vdi))
    run(place, "host2", "kill -0 $(cat /tmp/writer.pid) || tail -n 1 /tmp/written | grep -q 2000")
    run(place, "host2", "kill $(cat /tmp/writer.pid) 2>/dev/null; sleep 0.5; true")
    place.unplug(disk)
    check = (
        "import sys\n"
        "data = open(sys.argv[1], 'rb').read(8 << 20)\n"
        "numbers = [data[i:i + 8] for i in range(0, len(data), 4096)]\n"
        "count = next((i for i, n in enumerate(numbers) if not n.strip(b'\\0')), len(numbers))\n"
        "assert all(n == b'%08d' % (i + 1) for i, n in enumerate(numbers[:count]))\n"
        "assert not any(n.strip(b'\\0') for n in numbers[count:])\n"
        "print(count)\n"
    )
    for before, snapshot in zip(acknowledged, snapshots, strict=True):
        found = place.plug(snapshot, "host3", "RO")
        held = int(run(place, "host3", "python3 - %s <<'END'\n%s\nEND" % (found.device, check)).stdout)
        place.unplug(found)
        assert held >= before, "acknowledged before the snapshot, but not in it"


def test_clones_and_deletion_in_any_order(place: Place, sr: str) -> None:
    lab = place.lab
    vdi = place.create_disk(sr)
    disk = place.plug(vdi, "host1")
    fill(place, "host1", disk, "a")
    place.unplug(disk)
    snapshot = lab.xe("vdi-snapshot", "uuid=" + vdi)
    clones = [lab.xe("vdi-clone", "uuid=" + origin) for origin in (vdi, snapshot)]
    disk = place.plug(clones[0], "host2")
    fill(place, "host2", disk, "c")
    place.unplug(disk)
    lab.xe("vdi-destroy", "uuid=" + vdi)
    assert sorted([snapshot, *clones]) == place.disks(sr)
    assert place.index()["vdi." + vdi]["state"] == "hidden"
    assert [first_letter(place, found, "host3") for found in (snapshot, *clones)] == ["a", "c", "a"]
    lab.xe("vdi-destroy", "uuid=" + snapshot)
    assert "vdi." + vdi not in place.index()
    assert [first_letter(place, found, "host1") for found in clones] == ["c", "a"]
    for clone in clones:
        lab.xe("vdi-destroy", "uuid=" + clone)
    assert place.images() == []


def test_revert_as_xapi_does_it(place: Place, sr: str) -> None:
    lab = place.lab
    vdi = place.create_disk(sr)
    disk = place.plug(vdi, "host1")
    fill(place, "host1", disk, "a")
    snapshot = lab.xe("vdi-snapshot", "uuid=" + vdi)
    fill(place, "host1", disk, "b")
    place.unplug(disk)
    lab.xe("vdi-destroy", "uuid=" + vdi)
    reverted = lab.xe("vdi-clone", "uuid=" + snapshot)
    assert first_letter(place, reverted, "host2") == "a"
    lab.xe("sr-scan", "uuid=" + sr)
    assert place.disks(sr) == sorted([snapshot, reverted])


def test_snapshots_come_back_from_storage(place: Place, sr: str) -> None:
    lab = place.lab
    vdi = place.create_disk(sr, "base")
    snapshot = lab.xe("vdi-snapshot", "uuid=" + vdi)
    taken = field(place, snapshot, "snapshot-time")
    for found in (snapshot, vdi):
        lab.xe("vdi-forget", "uuid=" + found)
    lab.xe("sr-scan", "uuid=" + sr)
    assert place.disks(sr) == sorted([vdi, snapshot])
    assert (field(place, snapshot, "snapshot-of"), field(place, snapshot, "snapshot-time")) == (vdi, taken)
    assert field(place, snapshot, "is-a-snapshot") == "true"


def test_resize(place: Place, sr: str) -> None:
    lab = place.lab
    vdi = place.create_disk(sr)
    lab.xe("vdi-resize", "uuid=" + vdi, "disk-size=20000000")
    assert field(place, vdi, "virtual-size") == str(20 * MIB)
    assert place.index()["vdi." + vdi]["size"] == 20 * MIB
    disk = place.plug(vdi, "host3")
    assert run(place, "host3", "blockdev --getsize64 " + disk.device).stdout.strip() == str(20 * MIB)
    with pytest.raises(XeFailed):
        lab.xe("vdi-resize", "uuid=" + vdi, "disk-size=40MiB")
    place.unplug(disk)
    with pytest.raises(XeFailed) as caught:
        lab.xe("vdi-resize", "uuid=" + vdi, "disk-size=8MiB")
    assert "SR_BACKEND_FAILURE_79" in str(caught.value) and "can only grow" in str(caught.value)
    assert field(place, vdi, "virtual-size") == str(20 * MIB)

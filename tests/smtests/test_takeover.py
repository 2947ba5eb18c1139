"""A host dies with a disk open for writing: who may write next, and that the dead one may not."""

import json
import time

from lab.lab import Lab, XeFailed
from lab.place import Disk, Place

BOOT_SECONDS = 120


def boot_id(lab: Lab, host: str) -> str:
    """The id of the host's boot, as its kernel shows it."""
    return lab.machine(host).run(["cat", "/proc/sys/kernel/random/boot_id"]).stdout.strip()


def plug_when_up(place: Place, vdi: str, host: str) -> Disk:
    """Plug a disk as soon as the host and its SR are up again."""
    deadline = time.monotonic() + BOOT_SECONDS
    while True:
        try:
            return place.plug(vdi, host)
        except XeFailed:
            if time.monotonic() > deadline:
                raise
            time.sleep(1)


def blocklist(place: Place) -> set[str]:
    """The clients that the cluster refuses."""
    return {entry["addr"] for entry in place.ceph("osd", "blocklist", "ls")}


def test_machines_have_boots_of_their_own(lab: Lab) -> None:
    assert len({boot_id(lab, host) for host in ("host1", "host2", "host3")}) == 3


def test_a_host_takes_its_disk_up_again_after_a_power_loss(place: Place, sr: str) -> None:
    lab = place.lab
    vdi = place.create_disk(sr)
    disk = place.plug(vdi, "host3")
    write = ["dd", "if=/dev/zero", "of=" + disk.device, "bs=4096", "count=1", "oflag=direct"]
    assert lab.machine("host3").run(write).returncode == 0
    before, writer = boot_id(lab, "host3"), place.index()["vdi." + vdi]["writer"]
    lab.machine("host3").kill()
    lab.machine("host3").start()
    again = plug_when_up(place, vdi, "host3")
    after = place.index()["vdi." + vdi]["writer"]
    assert before != boot_id(lab, "host3") and (writer[1], after[1]) == (before, boot_id(lab, "host3"))
    assert set(writer[3]) <= blocklist(place) and not set(after[3]) & blocklist(place)
    status = json.loads(place.rbd("status", "--format", "json", "%s/vdi-%s" % (place.spec(), vdi)))
    assert {watcher["address"] for watcher in status["watchers"]} >= set(after[3])
    started = time.monotonic()
    write[2] = "of=" + again.device
    assert lab.machine("host3").run(write).returncode == 0
    # Without the blocklist the dead client's lock would hold for 30 s.
    assert time.monotonic() - started < 20
    place.unplug(again)
    place.wait_unwatched(vdi)

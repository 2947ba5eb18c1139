"""The driver killed with SIGKILL around every change it makes: the next scan finds nothing lost and nothing leaked."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.lab import Lab, XeFailed
from lab.place import Place

PACKAGES = "/usr/lib/python3/dist-packages"
STEPS = {"vdi_create": 4, "vdi_delete": 5, "vdi_snapshot": 4, "vdi_clone": 6, "vdi_resize": 3}


@pytest.fixture(scope="module")
def killer(lab: Lab) -> Iterator[None]:
    """The master's Pythons load killat."""
    host = lab.machine("host1")
    source = Path(__file__).with_name("killat.py").read_text(encoding="utf-8")
    host.run(["sh", "-c", "cat > %s/killat.py; echo 'import killat' > %s/killat.pth" % (PACKAGES, PACKAGES)], source)
    yield
    host.run(["rm", "-f", PACKAGES + "/killat.py", PACKAGES + "/killat.pth", "/run/killat.json"])


def attempt(place: Place, command: str, step: int, after: bool, *xe: str) -> bool:
    """Run xe while the driver's command is to be killed; returns whether it came to that."""
    host = place.lab.machine("host1")
    order = json.dumps({"command": command, "step": step, "after": after})
    host.run(["sh", "-c", "rm -f /run/killat.count; cat > /run/killat.json"], order)
    try:
        place.lab.xe(*xe)
        killed = False
    except XeFailed as error:
        assert "SIGKILL" in str(error), error
        killed = True
    finally:
        host.run(["rm", "/run/killat.json"])
    count = int(host.run(["cat", "/run/killat.count"]).stdout)
    assert killed == (count == step)
    return killed


def settled(place: Place, sr: str) -> list[str]:
    """The disks after scans, when index, images, records and trash agree."""
    deadline = time.monotonic() + 60
    while True:
        place.lab.xe("sr-scan", "uuid=" + sr)
        index = place.index()
        entries = {key[4:]: entry for key, entry in index.items() if key.startswith("vdi.")}
        assert {entry["state"] for entry in entries.values()} <= {"ok"}
        assert place.images() == sorted({entry["image"] for entry in entries.values()})
        assert place.disks(sr) == sorted(entries)
        if place.trash() == [] and not any(key.startswith("gc.") for key in index):
            return sorted(entries)
        assert time.monotonic() < deadline, "the trash is not emptied"
        time.sleep(0.5)


@pytest.mark.parametrize("after", [False, True])
def test_create(place: Place, sr: str, killer: None, after: bool) -> None:
    kept = place.create_disk(sr, "kept")
    ask = ("vdi-create", "sr-uuid=" + sr, "name-label=new", "virtual-size=4MiB", "type=user")
    for step in range(1, STEPS["vdi_create"] + 1):
        before = settled(place, sr)
        assert attempt(place, "vdi_create", step, after, *ask)
        left = settled(place, sr)
        assert kept in left and set(before) <= set(left)
    assert not attempt(place, "vdi_create", STEPS["vdi_create"] + 1, after, *ask)
    assert len(settled(place, sr)) >= 2


@pytest.mark.parametrize("after", [False, True])
def test_delete(place: Place, sr: str, killer: None, after: bool) -> None:
    kept = place.create_disk(sr, "kept")
    for step in range(1, STEPS["vdi_delete"] + 1):
        vdi = place.create_disk(sr, "doomed")
        assert attempt(place, "vdi_delete", step, after, "vdi-destroy", "uuid=" + vdi)
        left = settled(place, sr)
        assert kept in left
        if step > 1 or after:
            assert vdi not in left
        else:
            place.lab.xe("vdi-destroy", "uuid=" + vdi)
    vdi = place.create_disk(sr, "doomed")
    assert not attempt(place, "vdi_delete", STEPS["vdi_delete"] + 1, after, "vdi-destroy", "uuid=" + vdi)
    assert settled(place, sr) == [kept]


@pytest.mark.parametrize("command", ["vdi_snapshot", "vdi_clone", "vdi_resize"])
def test_of_a_disk_in_use(place: Place, sr: str, killer: None, command: str) -> None:
    """Its writer goes on after the scan, whatever step the driver died at."""
    vdi = place.create_disk(sr, "used")
    host = place.lab.machine("host2")
    ask = [command.replace("_", "-"), "uuid=" + vdi]
    for step in range(1, STEPS[command] + 1):
        if command == "vdi_resize":
            assert attempt(place, command, step, step % 2 == 0, *ask, "disk-size=%dMiB" % (16 + 4 * step))
            assert vdi in settled(place, sr)
            continue
        disk = place.plug(vdi, "host2")
        assert attempt(place, command, step, step % 2 == 0, *ask)
        assert vdi in settled(place, sr)
        done = host.run(["dd", "if=/dev/zero", "of=" + disk.device, "bs=4096", "count=1", "oflag=direct"], timeout=30)
        assert done.returncode == 0, done.stderr
        place.unplug(disk)
    size = place.lab.xe("vdi-param-get", "uuid=" + vdi, "param-name=virtual-size")
    assert place.index()["vdi." + vdi]["size"] == int(size)

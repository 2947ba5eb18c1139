"""The tap-ctl stand-in keeps the promises of the real one that SM relies on."""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from lab.lab import Completed, Lab, MachineHandle

pytestmark = pytest.mark.lab

EBUSY, EINVAL, ENODEV, ETIMEDOUT = 16, 22, 19, 110
SIZE = 8 * 2**20


@dataclass
class Tap:
    """A tapdisk with one number on host1, and an image to open."""

    host: MachineHandle
    minor: int
    pid: int
    image: str = "/root/tap-image"

    @property
    def node(self) -> str:
        return "/dev/xen/blktap-2/tapdev%d" % self.minor

    def ctl(self, verb: str, *arguments: str) -> Completed:
        return tap_ctl(self.host, verb, "-p", str(self.pid), "-m", str(self.minor), *arguments)

    def open(self, *arguments: str) -> None:
        done = self.ctl("open", "-a", "aio:" + self.image, *arguments)
        assert done.returncode == 0, done.stderr

    def shell(self, script: str) -> str:
        done = self.host.run(["/bin/bash", "-ec", script], timeout=30)
        assert done.returncode == 0, done.stderr
        return done.stdout


def tap_ctl(host: MachineHandle, *arguments: str) -> Completed:
    return host.run(["/usr/sbin/tap-ctl", *arguments], timeout=30)


@pytest.fixture
def tap(lab: Lab) -> Iterator[Tap]:
    host = lab.machine("host1")
    minor = int(tap_ctl(host, "allocate").stdout.strip().removeprefix("/dev/xen/blktap-2/tapdev"))
    tap = Tap(host, minor, int(tap_ctl(host, "spawn").stdout))
    tap.shell("rm -f %s; truncate -s %d %s" % (tap.image, SIZE, tap.image))
    assert tap.ctl("attach").returncode == 0
    yield tap
    tap.ctl("unpause")
    tap.ctl("close", "-t", "10")
    tap.ctl("detach")
    assert tap_ctl(host, "free", "-m", str(minor)).returncode == 0
    assert "loop%d" % minor not in tap.shell("ls /sys/block")


def test_list_in_every_state(tap: Tap) -> None:
    only = ("list", "-m", str(tap.minor))
    row = "pid=%d minor=%d " % (tap.pid, tap.minor)
    assert tap_ctl(tap.host, *only).stdout == row + "state=0\n"
    tap.open()
    opened = row + "state=0 args=aio:%s\n" % tap.image
    for options in (only, ("list", "-p", str(tap.pid)), ("list", "-f", tap.image, "-t", "aio")):
        assert tap_ctl(tap.host, *options).stdout == opened
    assert tap_ctl(tap.host, "list", "-f", "/other").stdout == ""
    tap.ctl("pause")
    assert tap_ctl(tap.host, *only).stdout == row + "state=0x2a args=aio:%s\n" % tap.image
    tap.ctl("unpause")
    assert tap_ctl(tap.host, *only).stdout == opened
    tap.ctl("close")
    assert tap_ctl(tap.host, *only).stdout == row + "state=0x2\n"


def test_what_the_kernel_shows(tap: Tap) -> None:
    entry = "/sys/class/blktap2/blktap\\!blktap%d" % tap.minor
    assert tap.shell("echo some-sr >%s/pool; cat %s/pool %s/task" % (entry, entry, entry)) == "some-sr\n%d\n" % tap.pid
    assert tap.shell("stat -c %t:%T " + tap.node) == "7:%x\n" % tap.minor
    assert "7 tapdev" in tap.shell("cat /proc/devices").splitlines()
    assert tap.shell("/usr/sbin/lsof -t /dev/xen/blktap-2/blktap%d" % tap.minor) == "%d\n" % tap.pid


def test_bytes_arrive_and_are_counted(tap: Tap) -> None:
    tap.open()
    assert tap.shell("blockdev --getsize64 " + tap.node) == "%d\n" % SIZE
    tap.shell("seq 1000000 | head -c 1048576 >/root/pattern; dd if=/root/pattern of=%s oflag=direct bs=64k" % tap.node)
    tap.shell("cmp -n 1048576 /root/pattern %s" % tap.image)
    stats = json.loads(tap.ctl("stats").stdout)
    assert stats["name"] == "aio:" + tap.image
    assert stats["secs"][1] == 2048
    assert stats["images"][0]["fail"] == [0, 0]


def test_read_only(tap: Tap) -> None:
    tap.open("-R")
    assert tap.shell("blockdev --getro " + tap.node) == "1\n"
    assert tap.host.run(["dd", "if=/dev/zero", "of=" + tap.node, "count=1"]).returncode != 0


def test_no_discard(tap: Tap) -> None:
    tap.open()
    assert tap.host.run(["blkdiscard", tap.node]).returncode != 0


def test_pause_holds_writes_back_until_unpause(tap: Tap) -> None:
    tap.open()
    write = "yes a | head -c 4096 | dd of=%s oflag=direct bs=4096 iflag=fullblock" % tap.node
    assert tap.ctl("pause").returncode == 0
    tap.shell("(%s; touch /run/written) >/dev/null 2>&1 & sleep 0.5" % write)
    assert tap.shell("head -c 2 %s | tr '\\0' 0; ls /run | grep written || true" % tap.image) == "00"
    assert tap.ctl("unpause").returncode == 0
    tap.shell("for i in {1..100}; do test -e /run/written && break; sleep 0.05; done; rm /run/written")
    assert tap.shell("head -c 2 " + tap.image) == "a\n"


def test_nothing_is_written_behind_the_back_of_a_pause(tap: Tap) -> None:
    tap.open()
    tap.shell(
        "fio_like() { while :; do dd if=/dev/urandom of=%s oflag=direct bs=256k count=16; done; };"
        "fio_like >/dev/null 2>&1 & echo $! >/run/writer; sleep 0.5" % tap.node
    )
    for _ in range(5):
        assert tap.ctl("pause").returncode == 0
        first = tap.shell("md5sum %s; sleep 0.3" % tap.image)
        assert tap.shell("md5sum " + tap.image) == first
        assert tap.ctl("unpause").returncode == 0
        time.sleep(0.1)
    tap.shell("kill $(cat /run/writer)")


def test_unpause_with_another_image(tap: Tap) -> None:
    tap.open()
    tap.ctl("pause")
    tap.shell("truncate -s %d /root/other; printf other | dd of=/root/other conv=notrunc" % SIZE)
    assert tap.ctl("unpause", "-a", "aio:/root/other").returncode == 0
    assert tap.shell("dd if=%s iflag=direct bs=4096 count=1 | head -c 5" % tap.node) == "other"
    assert "args=aio:/root/other" in tap_ctl(tap.host, "list", "-m", str(tap.minor)).stdout


def test_unpause_with_an_image_that_is_not_there_stays_paused(tap: Tap) -> None:
    tap.open()
    tap.ctl("pause")
    assert tap.ctl("unpause", "-a", "aio:/nowhere").returncode == 2
    assert "state=0x22a" in tap_ctl(tap.host, "list", "-m", str(tap.minor)).stdout
    assert tap.ctl("unpause").returncode == 0


def test_refusals(tap: Tap) -> None:
    assert tap.ctl("open", "-a", "aio:/nowhere").returncode == 2
    assert tap.ctl("open", "-a", "vhd:" + tap.image).returncode == 2
    assert tap.ctl("pause").returncode == EINVAL
    tap.open()
    assert tap.ctl("open", "-a", "aio:" + tap.image).returncode != 0
    assert tap.ctl("detach").returncode == EBUSY
    assert tap_ctl(tap.host, "free", "-m", str(tap.minor)).returncode == EBUSY
    assert tap_ctl(tap.host, "pause", "-p", str(tap.pid), "-m", "1").returncode == ENODEV
    assert tap_ctl(tap.host, "attach", "-p", str(tap.pid)).returncode == EINVAL


def test_close_waits_for_the_last_user(tap: Tap) -> None:
    tap.open()
    tap.shell("mkfs.ext4 -q %s && mount %s /mnt" % (tap.node, tap.node))
    assert tap.ctl("close", "-t", "1").returncode == ETIMEDOUT
    tap.shell("touch /mnt/still-works && sync && umount /mnt")
    assert tap.ctl("close", "-t", "10").returncode == 0


def test_a_killed_tapdisk_leaves_an_orphan_that_can_be_freed(tap: Tap) -> None:
    tap.open()
    tap.shell("kill -9 %d; sleep 1" % tap.pid)
    assert tap_ctl(tap.host, "list").stdout == "minor=%d\n" % tap.minor

"""What the blktap kernel module does in dom0: numbers, nodes in /dev/xen/blktap-2 and /sys/class/blktap2.

tapdevN is the node of loop device N, so N comes from this machine's range of loop devices; /proc/devices of
the machine names the loop driver's major "tapdev". blktapN stands for the ring that tapdisk holds open.
"""

import contextlib
import errno
import fcntl
import json
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lab import syscalls

RUN = Path("/run/blktap-control")
NODES = Path("/dev/xen/blktap-2")
SYSFS = Path("/sys/class/blktap2")
RANGE_FILE = Path("/etc/lab/loops.json")  # [first, count]
LOOP_MAJOR = 7
LOOP_CTL_ADD = 0x4C80
LOOP_CTL_REMOVE = 0x4C81


def node(minor: int) -> Path:
    return NODES / ("tapdev%d" % minor)


def ring(minor: int) -> Path:
    return NODES / ("blktap%d" % minor)


def front(minor: int) -> Path:
    """The file that tapdisk serves by FUSE and the loop device shows."""
    return RUN / ("image%d" % minor)


def sysfs(minor: int) -> Path:
    return SYSFS / ("blktap!blktap%d" % minor)


def allocate() -> int:
    """Take a free number and make its nodes. Raises OSError ENOSPC when all are taken."""
    first, count = json.loads(RANGE_FILE.read_text(encoding="ascii"))
    with _locked():
        for minor in range(first, first + count):
            if not node(minor).exists():
                _make(minor)
                return minor
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def free(minor: int) -> None:
    """Give a number back. Raises OSError ENOENT, or EBUSY while a tapdisk is attached to it."""
    with _locked():
        with ring(minor).open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise OSError(errno.EBUSY, os.strerror(errno.EBUSY)) from None
        remove_loop(minor)
        _remove_front(minor)
        for path in (sysfs(minor) / "pool", sysfs(minor) / "task", ring(minor), node(minor)):
            path.unlink()
        sysfs(minor).rmdir()


def minors() -> list[int]:
    """All allocated numbers."""
    return sorted(int(path.name[len("tapdev") :]) for path in NODES.glob("tapdev*"))


def add_loop(minor: int) -> None:
    """Make the kernel know loop device ``minor``; fine when it does."""
    with contextlib.suppress(FileExistsError):
        _loop_control(LOOP_CTL_ADD, minor)


def remove_loop(minor: int) -> None:
    """Make the kernel forget loop device ``minor``; fine when it has. Raises OSError EBUSY while it is open."""
    try:
        _loop_control(LOOP_CTL_REMOVE, minor)
    except OSError as error:
        if error.errno != errno.ENODEV:
            raise


def _remove_front(minor: int) -> None:
    """A tapdisk that was killed leaves its file and a dead mount on it."""
    with contextlib.suppress(OSError):
        syscalls.umount(str(front(minor)), syscalls.MNT_DETACH)
    front(minor).unlink(missing_ok=True)


def _make(minor: int) -> None:
    os.mknod(node(minor), stat.S_IFBLK | 0o660, os.makedev(LOOP_MAJOR, minor))
    ring(minor).touch(mode=0o600)
    sysfs(minor).mkdir(parents=True)
    (sysfs(minor) / "pool").write_text("blktap\n", encoding="ascii")
    (sysfs(minor) / "task").write_text("-1\n", encoding="ascii")


def _loop_control(request: int, minor: int) -> None:
    control = os.open("/dev/loop-control", os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.ioctl(control, request, minor)
    finally:
        os.close(control)


@contextmanager
def _locked() -> Iterator[None]:
    RUN.mkdir(mode=0o700, exist_ok=True)
    NODES.mkdir(parents=True, exist_ok=True)
    with (RUN / "allocate.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield

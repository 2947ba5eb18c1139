"""A machine's root file system: this machine's own, overlaid with the machine's files.

Lower layer is the real /, upper layer a folder on the lab's tmpfs, which keeps what the machine wrote until
the lab ends, as a disk would over a power loss. /run, /tmp and /dev begin empty at every boot.
"""

import errno
import os
import stat
import time
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path

from lab import syscalls
from lab.enter import TESTS
from lab.state import BASE

DEVICES = {"null": (1, 3), "zero": (1, 5), "full": (1, 7), "random": (1, 8), "urandom": (1, 9), "tty": (5, 0)}
ROOT_DEVICES = {"fuse": (10, 229), "loop-control": (10, 237)}
LINKS = {
    "fd": "/proc/self/fd",
    "stdin": "/proc/self/fd/0",
    "stdout": "/proc/self/fd/1",
    "stderr": "/proc/self/fd/2",
    "ptmx": "pts/ptmx",
}
BUSY_DEADLINE = 5.0  # seconds for the overlay of a killed predecessor to let go of the upper layer
REPOSITORY = TESTS.parent


def prepare(machine_folder: Path, own_folders: Sequence[str]) -> Path:
    """Make the layers of a new machine and return the upper one; ``own_folders`` begin empty in it."""
    upper = machine_folder / "upper"
    for layer in (upper, machine_folder / "work", machine_folder / "root"):
        layer.mkdir(parents=True)
    for folder in own_folders:
        hidden = upper / folder.lstrip("/")
        hidden.mkdir(parents=True)
        os.setxattr(hidden, "trusted.overlay.opaque", b"y")
    return upper


def enter(machine_folder: Path, files: Mapping[str, str]) -> None:
    """Build the tree and make it the root of this mount namespace.

    ``files`` are shown inside at a path (key) and lie outside at another (value): a node's disks.
    """
    root = str(machine_folder / "root")
    layers = "lowerdir=/,upperdir=%s/upper,workdir=%s/work" % (machine_folder, machine_folder)
    _mount_overlay(root, layers)
    syscalls.mount("proc", root + "/proc", "proc")
    syscalls.mount("sysfs", root + "/sys", "sysfs")
    for folder, mode in (("run", "0755"), ("tmp", "1777"), ("dev", "0755")):
        syscalls.mount("lab", "%s/%s" % (root, folder), "tmpfs", syscalls.MS_NOSUID, "mode=" + mode)
    os.makedirs(root + "/run/lock", mode=0o755)
    _fill_dev(root + "/dev")
    _new_boot_id(root)
    os.makedirs(root + str(REPOSITORY), exist_ok=True)  # it may be below /tmp or on a file system of its own
    syscalls.bind(str(REPOSITORY), root + str(REPOSITORY), read_only=True)
    for inside, outside in files.items():
        target = Path(root + inside)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.touch()
        syscalls.bind(outside, str(target))
    syscalls.mount("lab", root + str(BASE), "tmpfs", options="mode=0700,size=4k")  # other labs are no concern
    syscalls.become_root(root)


def _new_boot_id(root: str) -> None:
    """The kernel's own is the same for all machines and survives what is a reboot here."""
    fresh = Path(root + "/run/boot_id")
    fresh.write_text("%s\n" % uuid.uuid4(), encoding="ascii")
    syscalls.bind(str(fresh), root + "/proc/sys/kernel/random/boot_id")


def _mount_overlay(root: str, layers: str) -> None:
    deadline = time.monotonic() + BUSY_DEADLINE
    while True:
        try:
            syscalls.mount("lab", root, "overlay", options=layers)
            return
        except OSError as error:
            if error.errno != errno.EBUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def _fill_dev(dev: str) -> None:
    for name, (major, minor) in {**DEVICES, **ROOT_DEVICES}.items():
        mode = 0o600 if name in ROOT_DEVICES else 0o666
        os.mknod("%s/%s" % (dev, name), stat.S_IFCHR | mode, os.makedev(major, minor))
        os.chmod("%s/%s" % (dev, name), mode)
    for name, target in LINKS.items():
        os.symlink(target, "%s/%s" % (dev, name))
    for folder in ("pts", "shm"):
        os.mkdir("%s/%s" % (dev, folder))
    syscalls.mount("devpts", dev + "/pts", "devpts", options="newinstance,ptmxmode=0666,mode=0620")
    syscalls.mount("lab", dev + "/shm", "tmpfs", options="mode=1777")

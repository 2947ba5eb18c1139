"""What the blktap kernel module shows to a host's programs before any disk is there."""

import os
from pathlib import Path

from lab import syscalls

# SM splits the line at blanks and wants two fields, as it finds them for a number of three digits.
MAJOR_LINE = "7 tapdev\n"


def pretend() -> None:
    """Make /proc/devices and /sys/class/blktap2; runs in a host at every boot."""
    listing = Path("/proc/devices").read_text(encoding="ascii")
    copy = Path("/run/proc-devices")
    copy.write_text(listing.replace("Block devices:\n", "Block devices:\n" + MAJOR_LINE), encoding="ascii")
    syscalls.bind(str(copy), "/proc/devices")
    layers = Path("/run/sys-class")
    for layer in ("upper/blktap2", "work"):
        os.makedirs(layers / layer)
    options = "lowerdir=/sys/class,upperdir=%s/upper,workdir=%s/work" % (layers, layers)
    syscalls.mount("lab", "/sys/class", "overlay", options=options)

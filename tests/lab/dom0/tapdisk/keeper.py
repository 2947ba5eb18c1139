"""Holds a loop device open over a file; the device is gone when this process and all other users are.

`keeper.py MINOR BACKING ro|rw`; prints one line, "ok" or an errno, and stays until its stdin ends, which
happens at the latest when tapdisk is gone. A process of its own, not a
thread of tapdisk: closing a loop device writes its dirty pages back, which must not happen in the very
process that serves them.
"""

import fcntl
import os
import struct
import sys
from pathlib import Path

from lab.dom0.tapdisk import devices

LOOP_CONFIGURE = 0x4C0A
LO_FLAGS_READ_ONLY, LO_FLAGS_AUTOCLEAR, LO_FLAGS_DIRECT_IO = 1, 4, 16
SECTOR = 512


def main(minor: int, backing: str, read_only: bool) -> None:
    """Bind the device, report, stay until stdin ends."""
    try:
        device = _bind(minor, backing, read_only)
    except OSError as error:
        print(error.errno, flush=True)
        return
    # tapdisk has no discard; the loop driver would otherwise offer it.
    Path("/sys/block/loop%d/queue/discard_max_bytes" % minor).write_text("0", encoding="ascii")
    print("ok", flush=True)
    sys.stdin.read()
    os.close(device)


def _bind(minor: int, backing: str, read_only: bool) -> int:
    devices.add_loop(minor)
    mode = os.O_RDONLY if read_only else os.O_RDWR
    device = os.open(devices.node(minor), mode | os.O_CLOEXEC)
    flags = LO_FLAGS_AUTOCLEAR | LO_FLAGS_DIRECT_IO | (LO_FLAGS_READ_ONLY if read_only else 0)
    file = os.open(backing, mode | os.O_DIRECT | os.O_CLOEXEC)
    try:
        info = struct.pack("<5Q4I64s64s32s2Q", *([0] * 5), 0, 0, 0, flags, backing.encode()[:63], b"", b"", 0, 0)
        fcntl.ioctl(device, LOOP_CONFIGURE, struct.pack("<II", file, SECTOR) + info + bytes(64))
    finally:
        os.close(file)
    return device


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], sys.argv[3] == "ro")

"""Runs inside a host: writes numbered blocks to a device one after the other, or checks those of another run.

    writer.py write DEVICE RUN           until stdin ends; a line "NUMBER SECONDS" for every block on the device
    writer.py check DEVICE RUN COUNT     the first COUNT blocks; exit code 1 names the first that is wrong

A block is 4 KiB: the run, its number, bytes that follow from both, and the SHA-256 of all that. It goes to the
device with O_DIRECT and O_SYNC, so write() returns once the storage has it. SECONDS are CLOCK_MONOTONIC.
"""

import hashlib
import mmap
import os
import select
import struct
import sys
import time

BLOCK = 4096
HEAD = struct.Struct("<16sQ")
DIGEST = hashlib.sha256().digest_size
BLOCKS_AT_ONCE = 256


def block(run: bytes, number: int) -> bytes:
    """The block with this number; no two numbers, and no two runs, share one."""
    head = HEAD.pack(run, number)
    content = head + hashlib.shake_256(head).digest(BLOCK - HEAD.size - DIGEST)
    return content + hashlib.sha256(content).digest()


def write(device: str, run: bytes) -> None:
    """Write block after block until stdin ends or the device is full."""
    descriptor = os.open(device, os.O_WRONLY | os.O_DIRECT | os.O_SYNC)
    blocks = os.lseek(descriptor, 0, os.SEEK_END) // BLOCK
    buffer = mmap.mmap(-1, BLOCK)  # O_DIRECT wants an aligned address
    for number in range(blocks):
        if select.select([sys.stdin], [], [], 0)[0]:
            break
        buffer[:] = block(run, number)
        if os.pwrite(descriptor, buffer, number * BLOCK) != BLOCK:
            raise OSError("block %d was written in part" % number)
        print(number, "%.6f" % time.monotonic(), flush=True)
    os.close(descriptor)


def check(device: str, run: bytes, count: int) -> int:
    """Compare the first ``count`` blocks with what they must be; answers the number of the first wrong one, or -1."""
    with open(device, "rb", buffering=0) as disk:
        for first in range(0, count, BLOCKS_AT_ONCE):
            here = min(BLOCKS_AT_ONCE, count - first)
            data = _read(disk.fileno(), first * BLOCK, here * BLOCK)
            for index in range(here):
                if data[index * BLOCK : (index + 1) * BLOCK] != block(run, first + index):
                    return first + index
    return -1


def _read(descriptor: int, offset: int, length: int) -> bytes:
    data = b""
    while len(data) < length:
        piece = os.pread(descriptor, length - len(data), offset + len(data))
        if not piece:
            raise OSError("the device ends at byte %d" % (offset + len(data)))
        data += piece
    return data


def main(arguments: list[str]) -> int:
    verb, device, run = arguments[0], arguments[1], bytes.fromhex(arguments[2])
    if verb == "write":
        write(device, run)
        return 0
    count = int(arguments[3])
    wrong = check(device, run, count)
    if wrong >= 0:
        print("block %d is not what was written" % wrong, file=sys.stderr)
        return 1
    print("%d blocks are as they were written" % count)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

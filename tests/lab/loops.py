"""Loop devices are one set for the whole kernel: every lab takes a range of numbers nobody else uses.

A bound loop device vanishes with its last user (autoclear); the unbound number that a killed lab leaves
behind is removed by the next `lab up` or `lab down`.
"""

import fcntl
import os
import socket
from pathlib import Path

from lab.state import LabError, claim

FIRST = 10000
PER_LAB = 1000
PER_MACHINE = 100
RANGES = 90
LOOP_CTL_ADD = 0x4C80
LOOP_CTL_REMOVE = 0x4C81


class Range:
    """A claimed range; it stays claimed while ``socket`` is open in any process."""

    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        for index in range(RANGES):
            if claim(self.socket, "loops/%d" % index):
                self.first = FIRST + index * PER_LAB
                return
        self.socket.close()
        raise LabError("all %d ranges of loop devices are taken by running labs" % RANGES)


def sweep() -> None:
    """Remove what dead labs left in the ranges that nobody has claimed."""
    for index in range(RANGES):
        with socket.socket(socket.AF_UNIX) as lock:
            if claim(lock, "loops/%d" % index):
                remove_unbound(FIRST + index * PER_LAB, PER_LAB)


def for_machine(first: int, index: int) -> range:
    """The numbers that the machine with this index may use."""
    if index >= PER_LAB // PER_MACHINE:
        raise LabError("a lab has loop devices for %d machines only" % (PER_LAB // PER_MACHINE))
    start = first + index * PER_MACHINE
    return range(start, start + PER_MACHINE)


def remove_unbound(first: int, count: int) -> None:
    """Remove the unbound devices of a range from the kernel; bound ones are left alone."""
    found = [int(path.name[4:]) for path in Path("/sys/block").glob("loop*")]
    numbers = [number for number in found if first <= number < first + count]
    if not numbers:
        return
    control = os.open("/dev/loop-control", os.O_RDWR | os.O_CLOEXEC)
    try:
        for number in numbers:
            if not Path("/sys/block/loop%d/loop" % number).exists():
                fcntl.ioctl(control, LOOP_CTL_REMOVE, number)
    finally:
        os.close(control)

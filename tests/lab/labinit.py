"""PID 1 of a lab: holds the lab's namespaces and reaps; everything else in the lab is its descendant.

Started as `python3 -m lab.labinit NAME LIFELINE READY`, two descriptors of pipes. Until a byte arrives on
LIFELINE, its end means that `lab up` died: init ends, and the kernel ends the half-made lab with it. A byte
on READY says that the namespaces, the switch and the place for the machines exist.
"""

import os
import select
import signal
import socket
import sys
from types import FrameType

from lab import network, syscalls
from lab.state import State


def main(name: str, lifeline: int, ready: int) -> None:
    """Leave the caller's world, become PID 1 of a new one, stay."""
    os.setsid()
    state = State(name)
    syscalls.unshare(syscalls.CLONE_NEWPID)
    pid = os.fork()
    if pid:
        state.write_init(pid)
        os._exit(0)
    syscalls.unshare(syscalls.NEW_ALL & ~syscalls.CLONE_NEWPID)
    _build(state)
    signal.signal(signal.SIGCHLD, _reap)
    os.write(ready, b"1")
    os.close(ready)
    select.select([lifeline], [], [])
    if not os.read(lifeline, 1):
        os._exit(1)
    os.close(lifeline)
    while True:
        signal.pause()


def _build(state: State) -> None:
    syscalls.mount("none", "/", flags=syscalls.MS_REC | syscalls.MS_PRIVATE)
    syscalls.mount("proc", "/proc", "proc")
    syscalls.mount("sysfs", "/sys", "sysfs")  # a sysfs shows the network namespace that mounted it
    state.live.mkdir(exist_ok=True)
    syscalls.mount("lab", str(state.live), "tmpfs", options="mode=0755,size=50%")
    socket.sethostname("lab")
    network.make_switch(state.environment().networks)


def _reap(number: int, frame: FrameType | None) -> None:
    while True:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))

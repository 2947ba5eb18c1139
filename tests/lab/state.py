"""Where a lab keeps its things, and which process it is.

Two folders per lab. ``folder`` is on disk and outlives everything: disks, logs, the environment, the pid of
the lab's init. ``folder/live`` is a tmpfs that only the lab's own mount namespace has: the machines'
writable layers and pids. The kernel drops it together with the lab's init.
"""

import contextlib
import errno
import json
import os
import re
import shutil
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lab import envfile

BASE = Path("/var/tmp/hci-lab")
NAME = re.compile(r"[a-z][a-z0-9-]{0,30}")
END_DEADLINE = 20.0  # seconds for the kernel to end everything in a killed PID namespace


class LabError(Exception):
    """Something about a lab as a whole went wrong; the text is for the person at the terminal."""


@dataclass(frozen=True)
class Process:
    """A process that cannot be confused with a later one of the same pid.

    ``proc`` is the procfs of the PID namespace in which ``pid`` counts.
    """

    pid: int
    started: str
    proc: Path = Path("/proc")

    @classmethod
    def of(cls, pid: int) -> "Process":
        """The process that has this pid now; raises FileNotFoundError or ProcessLookupError."""
        return cls(pid, _start_time(pid, cls.proc))

    @property
    def alive(self) -> bool:
        try:
            return _start_time(self.pid, self.proc) == self.started
        except (FileNotFoundError, ProcessLookupError):
            return False

    def kill(self) -> None:
        """SIGKILL, and wait until nothing is left of it. Raises LabError after the deadline."""
        with contextlib.suppress(ProcessLookupError):
            if self.alive:
                os.kill(self.pid, signal.SIGKILL)
        deadline = time.monotonic() + END_DEADLINE
        while self.alive:
            if time.monotonic() > deadline:
                raise LabError("process %d does not end after SIGKILL" % self.pid)
            time.sleep(0.01)


def _start_time(pid: int, proc: Path) -> str:
    fields = (proc / str(pid) / "stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
    if fields[0] in "ZX":  # a zombie holds nothing any more; its parent may take its time
        raise ProcessLookupError(pid)
    return fields[19]


@dataclass(frozen=True)
class State:
    """The files of the lab called ``name``."""

    name: str

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.name):
            raise LabError("%r is not a name for a lab: lower-case letters, digits and -, at most 31" % self.name)

    @property
    def folder(self) -> Path:
        return BASE / self.name

    @property
    def live(self) -> Path:
        return self.folder / "live"

    @property
    def logs(self) -> Path:
        return self.folder / "logs"

    @property
    def environment_file(self) -> Path:
        return self.folder / "environment.toml"

    def log(self, machine: str) -> Path:
        return self.logs / ("%s.log" % machine)

    def disk(self, machine: str, disk: str) -> Path:
        return self.folder / "disks" / ("%s-%s" % (machine, disk))

    def environment(self) -> envfile.Environment:
        """What this lab was started with. Raises LabError when there is no such lab."""
        try:
            text = self.environment_file.read_text(encoding="utf-8")
        except FileNotFoundError:
            raise LabError("there is no lab called %s; `lab up` makes one" % self.name) from None
        return envfile.parse(text)

    def write_init(self, pid: int) -> None:
        write_process(self.folder / "init.json", Process.of(pid))

    def init(self) -> Process | None:
        """The living init of this lab, if any."""
        process = read_process(self.folder / "init.json")
        return process if process and process.alive else None

    def running(self) -> Process:
        """The living init. Raises LabError when the lab is down."""
        process = self.init()
        if process is None:
            raise LabError("the lab %s is not up" % self.name)
        return process

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the lab's lock: one up, down, start or kill at a time. Raises LabError when it is taken."""
        with socket.socket(socket.AF_UNIX) as lock:
            if not claim(lock, "lock/%s" % self.name):
                raise LabError("another command is changing the lab %s" % self.name)
            yield

    def remove(self) -> None:
        """Delete what is on disk; the lab must be down."""
        shutil.rmtree(self.folder, ignore_errors=True)


def claim(lock: socket.socket, what: str) -> bool:
    """Take a machine-wide claim that ends with the last process that holds the socket; no file is left."""
    try:
        lock.bind("\0hci-lab/" + what)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        return False
    return True


def write_process(path: Path, process: Process) -> None:
    """Record a process; readers see the old or the new content."""
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps({"pid": process.pid, "started": process.started}), encoding="ascii")
    fresh.replace(path)


def read_process(path: Path, proc: Path = Path("/proc")) -> Process | None:
    """The recorded process, dead or alive; None when none was recorded."""
    try:
        record = json.loads(path.read_text(encoding="ascii"))
    except FileNotFoundError:
        return None
    return Process(record["pid"], record["started"], proc)


def known() -> list[str]:
    """Names of the labs that have files on this machine."""
    if not BASE.is_dir():
        return []
    return sorted(path.name for path in BASE.iterdir() if NAME.fullmatch(path.name) and path.is_dir())

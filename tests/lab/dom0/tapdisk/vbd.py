"""One virtual disk in a tapdisk: opened, paused, resumed, closed; the states are those of tapdisk-vbd.h."""

import errno
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

from lab.dom0.tapdisk import devices
from lab.dom0.tapdisk.fuse import Counters, Image, Server

CLOSED, QUIESCE_REQUESTED, QUIESCED, PAUSE_REQUESTED, PAUSED, RESUME_FAILED = 0x2, 0x4, 0x8, 0x10, 0x20, 0x200
BUSY_POLL = 0.05
SECTOR = 512


def failure(number: int) -> OSError:
    return OSError(number, os.strerror(number))


class Vbd:
    """A disk attached to this tapdisk; without ``args`` (type:path) nothing is open."""

    def __init__(self, minor: int) -> None:
        self.minor = minor
        self.lock = threading.Lock()  # one change at a time; looking needs no lock
        self._front = devices.front(minor)
        self.state = 0
        self.args = ""
        self.read_only = False
        self.direct = True
        self.counters = Counters()
        self.server: Server | None = None
        self.keeper: subprocess.Popen[str] | None = None

    def open(self, args: str, read_only: bool, direct: bool) -> None:
        """Show the image as /dev/xen/blktap-2/tapdevN. Raises OSError with the number tapdisk would give."""
        if self.args:
            raise failure(errno.EALREADY)
        self.read_only, self.direct, self.counters = read_only, direct, Counters()
        image = self._image(args)
        self._front.touch(mode=0o600)
        self.server = Server(str(self._front), image, self.counters)
        try:
            self.keeper = self._keep()
        except OSError:
            self._take_down()
            raise
        self.args, self.state = args, 0

    def close(self, force: bool, deadline: float) -> None:
        """Take the device away, once nobody uses it. Raises OSError ETIMEDOUT."""
        if not self.args:
            return
        while not force and self._users():
            if time.monotonic() > deadline:
                raise failure(errno.ETIMEDOUT)
            time.sleep(BUSY_POLL)
        assert self.keeper is not None
        assert self.keeper.stdin is not None
        self.keeper.stdin.close()
        if force:
            self.keeper.kill()
        try:
            self.keeper.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            raise failure(errno.ETIMEDOUT) from None
        self._take_down()
        self.args, self.state = "", CLOSED

    def pause(self, deadline: float) -> None:
        """Finish what is going on, hold back the rest, close the image. Raises OSError ETIMEDOUT."""
        server = self._open_server()
        self.state |= PAUSE_REQUESTED | QUIESCE_REQUESTED
        if not server.pause(deadline):
            raise failure(errno.ETIMEDOUT)
        if server.image is not None:
            server.image.close()
            server.image = None
        self.state = CLOSED | QUIESCED | PAUSED

    def resume(self, args: str) -> None:
        """Open the image, possibly another one, and go on. Raises OSError and stays paused."""
        server = self._open_server()
        if not self.state & (PAUSED | PAUSE_REQUESTED):
            raise failure(errno.EINVAL)
        try:
            image = self._image(args or self.args)
        except OSError:
            self.state |= RESUME_FAILED
            raise
        self.args, self.state = args or self.args, 0
        server.resume(image)

    def stats(self) -> dict[str, object]:
        kind, _, path = self.args.partition(":")
        image = {
            "name": path,
            "hits": list(self.counters.sectors),
            "fail": list(self.counters.failed),
            "driver": {"type": 0, "name": kind, "status": None},
        }
        return {
            "name": self.args,
            "secs": list(self.counters.sectors),
            "images": [image] if self.args and not self.state & PAUSED else [],
            "FIXME_enospc_redirect_count": 0,
            "nbd_mirror_failed": 0,
            "reqs_outstanding": self.server.outstanding if self.server else 0,
            "read_caching": "false" if self.direct else "true",
        }

    def _image(self, args: str) -> Image:
        kind, _, path = args.partition(":")
        if kind != "aio":  # the only driver of tapdisk that this stand-in has
            raise failure(errno.ENOENT)
        image = Image(path, self.read_only, self.direct)
        if not image.size or image.size % SECTOR:
            image.close()
            raise failure(errno.EINVAL)
        return image

    def _open_server(self) -> Server:
        if self.server is None:
            raise failure(errno.EINVAL)
        return self.server

    def _keep(self) -> "subprocess.Popen[str]":
        keeper = subprocess.Popen(
            [sys.executable, "-S", "-m", "lab.dom0.tapdisk.keeper", str(self.minor), str(self._front)]
            + ["ro" if self.read_only else "rw"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert keeper.stdout is not None
        answer = keeper.stdout.readline().strip()
        if answer == "ok":
            return keeper
        keeper.wait()
        raise failure(int(answer or errno.EIO))

    def _take_down(self) -> None:
        if self.server is not None:
            self.server.close()
            if self.server.image is not None:
                self.server.image.close()
            self.server = None
        self.keeper = None
        self._front.unlink()

    def _users(self) -> bool:
        """Whether anybody but the keeper has the device open: a mount, or a process of this machine."""
        assert self.keeper is not None
        try:
            os.close(os.open(devices.node(self.minor), os.O_RDONLY | os.O_EXCL | os.O_CLOEXEC))
        except OSError:
            return True
        wanted = os.makedev(devices.LOOP_MAJOR, self.minor)
        for descriptor in Path("/proc").glob("[0-9]*/fd/*"):
            try:  # the process may be gone; and a file that is no device may hang when asked
                target = os.readlink(descriptor)
                if not target.startswith("/dev/") or int(descriptor.parts[2]) == self.keeper.pid:
                    continue
                if descriptor.stat().st_rdev == wanted:
                    return True
            except OSError:
                continue
        return False

"""One tapdisk process: its disks, and the control socket through which tap-ctl talks to it.

A request is one JSON object, the answer another with "errno" (0: done). Each connection has a thread of its
own, so that a pause which waits for a slow disk does not keep `tap-ctl list` waiting. As the real one, the
process ends when its last disk is detached, and on SIGTERM.
"""

import contextlib
import errno
import fcntl
import json
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from typing import BinaryIO

from lab.dom0.tapdisk import devices
from lab.dom0.tapdisk.vbd import Vbd, failure

WAIT_FOR_EVER = 10**6  # seconds; what tap-ctl means by no -t
Request = dict[str, object]


class Tapdisk:
    """The disks of this process by number."""

    def __init__(self) -> None:
        self.disks: dict[int, Vbd] = {}
        self.rings: dict[int, BinaryIO] = {}
        self.done = threading.Event()

    def handle(self, request: Request) -> Request:
        """Answer one request."""
        verbs: dict[object, Callable[[Request], Request]] = {
            "pid": lambda _: {"pid": os.getpid()},
            "list": lambda _: {"vbds": [[vbd.minor, vbd.state, vbd.args] for vbd in self.disks.values()]},
            "attach": self._attach,
            "detach": self._detach,
            "open": self._open,
            "close": self._close,
            "pause": self._pause,
            "unpause": self._unpause,
            "stats": lambda request: {"stats": self._disk(request).stats()},
        }
        try:
            return {"errno": 0, **verbs[request["verb"]](request)}
        except OSError as error:
            return {"errno": error.errno or errno.EIO}

    def shutdown(self) -> None:
        """Close everything as well as it goes; what cannot be closed ends with the process."""
        for vbd in self.disks.values():
            with contextlib.suppress(OSError):
                vbd.close(force=True, deadline=time.monotonic() + 5)

    def _attach(self, request: Request) -> Request:
        minor = _number(request, "minor")
        if minor in self.disks:
            raise failure(errno.EEXIST)
        ring = devices.ring(minor).open("rb")
        try:
            fcntl.flock(ring, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            ring.close()
            raise failure(errno.EBUSY) from None
        (devices.sysfs(minor) / "task").write_text("%d\n" % os.getpid(), encoding="ascii")
        self.rings[minor] = ring
        self.disks[minor] = Vbd(minor)
        return {}

    def _detach(self, request: Request) -> Request:
        vbd = self._disk(request, errno.ENODEV)
        if vbd.args:
            raise failure(errno.EBUSY)
        (devices.sysfs(vbd.minor) / "task").write_text("-1\n", encoding="ascii")
        self.rings.pop(vbd.minor).close()
        del self.disks[vbd.minor]
        if not self.disks:
            self.done.set()
        return {}

    def _open(self, request: Request) -> Request:
        vbd = self._disk(request, errno.EINVAL)
        with vbd.lock:
            vbd.open(str(request["args"]), bool(request["read_only"]), bool(request["direct"]))
        return {}

    def _close(self, request: Request) -> Request:
        vbd = self._disk(request, errno.ENODEV)
        with vbd.lock:
            vbd.close(bool(request["force"]), _deadline(request))
        return {}

    def _pause(self, request: Request) -> Request:
        vbd = self._disk(request, errno.ENODEV)
        with vbd.lock:
            vbd.pause(_deadline(request))
        return {}

    def _unpause(self, request: Request) -> Request:
        vbd = self._disk(request, errno.ENODEV)
        with vbd.lock:
            vbd.resume(str(request["args"]))
        return {}

    def _disk(self, request: Request, missing: int = errno.ENODEV) -> Vbd:
        try:
            return self.disks[_number(request, "minor")]
        except KeyError:
            raise failure(missing) from None


def main() -> None:
    """Say one's pid on stdout when the socket is there, then serve."""
    tapdisk = Tapdisk()
    signal.signal(signal.SIGTERM, lambda *_: tapdisk.done.set())
    path = socket_path(os.getpid())
    devices.RUN.mkdir(mode=0o700, exist_ok=True)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen(16)
        threading.Thread(target=_accept, args=(listener, tapdisk), daemon=True).start()
        sys.stdout.write("%d\n" % os.getpid())
        sys.stdout.flush()
        null = os.open("/dev/null", os.O_RDWR)
        os.dup2(null, 1)
        tapdisk.done.wait()
        time.sleep(0.05)  # lets the answer to the last detach go out
        os.unlink(path)
    tapdisk.shutdown()
    os._exit(0)  # threads that wait for the kernel must not hold up the end


def socket_path(pid: int) -> str:
    return str(devices.RUN / ("ctl%d" % pid))


def _accept(listener: socket.socket, tapdisk: Tapdisk) -> None:
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=_converse, args=(connection, tapdisk), daemon=True).start()


def _converse(connection: socket.socket, tapdisk: Tapdisk) -> None:
    with connection, connection.makefile("rw", encoding="utf-8") as stream:
        answer = tapdisk.handle(json.loads(stream.readline()))
        with contextlib.suppress(BrokenPipeError):  # tap-ctl has given up waiting
            stream.write(json.dumps(answer) + "\n")
            stream.flush()


def _number(request: Request, name: str) -> int:
    value = request[name]
    assert isinstance(value, int)
    return value


def _deadline(request: Request) -> float:
    timeout = request["timeout"]
    return time.monotonic() + (timeout if isinstance(timeout, int) else WAIT_FOR_EVER)


if __name__ == "__main__":
    main()

"""One file, served to the kernel over /dev/fuse: the part of tapdisk that moves a guest's data.

Speaks the kernel's FUSE protocol (linux/fuse.h, 7.31) directly, because only its own server can do what
tapdisk must: finish the requests it has taken, take no new ones, and let go of the image. The file is
mounted over an existing regular file and has a fixed size.
"""

import errno
import mmap
import os
import queue
import struct
import threading
import time
from collections.abc import Callable

from lab import syscalls

GETATTR, OPEN, READ, WRITE, STATFS, RELEASE, FSYNC, FLUSH, INIT, DESTROY = 3, 14, 15, 16, 17, 18, 20, 25, 26, 38
FORGET, INTERRUPT, BATCH_FORGET = 2, 36, 42
UNANSWERED = frozenset((FORGET, INTERRUPT, BATCH_FORGET))
DATA = frozenset((READ, WRITE, FSYNC))
ASYNC_READ, BIG_WRITES, MAX_PAGES = 1 << 0, 1 << 5, 1 << 22
DIRECT_IO = 1  # answer to OPEN: no page cache between the loop device and us
LARGEST = 1 << 20  # bytes per request
HEADER = struct.Struct("<IIQQIIII")  # length opcode unique node uid gid pid extension
TRANSFER = struct.Struct("<QQIIQII")  # handle offset size flags owner flags padding
ATTRIBUTES = struct.Struct("<QII6Q10I")
FOREVER = 10**9  # seconds that the kernel may keep attributes
WORKERS = 4


class Image:
    """An open backing file; counts what goes through it."""

    def __init__(self, path: str, read_only: bool, direct: bool) -> None:
        flags = (os.O_RDONLY if read_only else os.O_RDWR) | os.O_CLOEXEC
        try:
            self.fd = os.open(path, flags | (os.O_DIRECT if direct else 0))
        except OSError as error:
            if error.errno != errno.EINVAL or not direct:
                raise
            self.fd = os.open(path, flags)  # tapdisk, too, goes on when the file system knows no O_DIRECT
        self.size = os.lseek(self.fd, 0, os.SEEK_END)

    def close(self) -> None:
        os.close(self.fd)


class Counters:
    """Sectors read and written, and failed requests, since the disk was opened."""

    def __init__(self) -> None:
        self.sectors = [0, 0]
        self.failed = [0, 0]


class Request:
    """One request of the kernel; ``data`` is page-aligned because the image is read and written directly."""

    def __init__(self) -> None:
        self.head = bytearray(HEADER.size + TRANSFER.size)
        self.data = mmap.mmap(-1, LARGEST + mmap.PAGESIZE)
        self.opcode = 0
        self.unique = 0

    def fill(self, device: int) -> None:
        os.readv(device, [self.head, self.data])
        _, self.opcode, self.unique, *_ = HEADER.unpack_from(self.head)

    def transfer(self) -> tuple[int, int]:
        """(offset, size) of a READ or WRITE."""
        _, offset, size, *_ = TRANSFER.unpack_from(self.head, HEADER.size)
        return offset, size


class Server:
    """Serves ``image`` at ``path`` until ``close``."""

    def __init__(self, path: str, image: Image, counters: Counters) -> None:
        self.path = path
        self.size = image.size
        self.image: Image | None = image
        self.counters = counters
        self.waiting: queue.SimpleQueue[Request | None] = queue.SimpleQueue()
        self.spare: queue.SimpleQueue[Request] = queue.SimpleQueue()
        self.gate = threading.Condition()
        self.paused = False
        self.working = 0
        self.device = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
        options = "fd=%d,rootmode=100000,user_id=0,group_id=0,allow_other" % self.device
        syscalls.mount("tapdisk", path, "fuse", syscalls.MS_NOSUID | syscalls.MS_NODEV, options)
        for target in (self._receive, *[self._work] * WORKERS):
            threading.Thread(target=target, daemon=True).start()

    @property
    def outstanding(self) -> int:
        return self.working + self.waiting.qsize()

    def pause(self, deadline: float) -> bool:
        """Take no further request and finish those begun; False when some are still going at ``deadline``."""
        with self.gate:
            self.paused = True
            return self.gate.wait_for(lambda: not self.working, max(0.0, deadline - time.monotonic()))

    def resume(self, image: Image) -> None:
        """Go on with ``image``; what had to wait is done first."""
        with self.gate:
            self.image = image
            self.paused = False
            self.gate.notify_all()

    def close(self) -> None:
        """Unmount; the kernel ends the connection, and with it the threads."""
        syscalls.umount(self.path, syscalls.MNT_DETACH)

    def _receive(self) -> None:
        """Read every request; data goes to the workers, the rest is answered here even while paused."""
        while True:
            request = self._blank()
            try:
                request.fill(self.device)
            except OSError as error:
                if error.errno in (errno.ENOENT, errno.EINTR, errno.EAGAIN):  # the asker gave up meanwhile
                    continue
                break  # ENODEV: unmounted
            if request.opcode in DATA:
                self.waiting.put(request)
                continue
            if request.opcode not in UNANSWERED:
                self._answer(request, self._describe(request))
            self.spare.put(request)
        for _ in range(WORKERS):
            self.waiting.put(None)
        os.close(self.device)

    def _work(self) -> None:
        while (request := self.waiting.get()) is not None:
            with self.gate:
                self.gate.wait_for(lambda: not self.paused)
                self.working += 1
            try:
                self._answer(request, self._move(request))
            finally:
                with self.gate:
                    self.working -= 1
                    self.gate.notify_all()
            self.spare.put(request)

    def _move(self, request: Request) -> bytes | memoryview | int:
        """Do a request for data; an int is an errno."""
        assert self.image is not None
        write = request.opcode == WRITE
        try:
            if request.opcode == FSYNC:
                os.fdatasync(self.image.fd)
                return b""
            offset, size = request.transfer()
            view = memoryview(request.data)[:size]
            move: Callable[[int, list[memoryview], int], int] = os.pwritev if write else os.preadv
            done = move(self.image.fd, [view], offset)
        except OSError as error:
            self.counters.failed[write] += 1
            return error.errno or errno.EIO
        self.counters.sectors[write] += done // 512
        return struct.pack("<II", done, 0) if write else view[:done]

    def _describe(self, request: Request) -> bytes | int:
        """Answer what is not data."""
        if request.opcode == INIT:
            flags = ASYNC_READ | BIG_WRITES | MAX_PAGES
            pages = LARGEST // mmap.PAGESIZE
            return struct.pack("<4I2H2I2H8I", 7, 31, LARGEST, flags, 64, 48, LARGEST, 1, pages, 0, *[0] * 8)
        if request.opcode == GETATTR:
            times = (0,) * 9
            return ATTRIBUTES.pack(
                FOREVER, 0, 0, 1, self.size, self.size // 512, *times[:3], *times[3:6], 0o100600, 1, 0, 0, 0, 4096, 0
            )
        if request.opcode == OPEN:
            return struct.pack("<QII", 0, DIRECT_IO, 0)
        if request.opcode in (FLUSH, RELEASE, DESTROY):
            return b""
        if request.opcode == STATFS:
            return struct.pack("<5Q10I", *[0] * 5, 4096, 255, *[0] * 8)
        return errno.ENOSYS

    def _answer(self, request: Request, result: bytes | memoryview | int) -> None:
        error, payload = (-result, b"") if isinstance(result, int) else (0, result)
        head = struct.pack("<IiQ", 16 + len(payload), error, request.unique)
        try:
            os.writev(self.device, [head, payload])
        except OSError as failure:
            if failure.errno not in (errno.ENOENT, errno.ENODEV, errno.EBADF):  # the asker or the mount is gone
                raise

    def _blank(self) -> Request:
        try:
            return self.spare.get_nowait()
        except queue.Empty:
            return Request()

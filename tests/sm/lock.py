"""Locks between processes of one host: POSIX record locks on files below /var/lock/sm.

One object per name and process, so a process that locks twice does not wait for itself; it must release as
often as it acquired. Nothing here protects against another host.
"""

import errno
import fcntl
import os
from typing import IO, Any, Dict, Optional

import util

LOCK_TYPE_GC_RUNNING = "running"
_NO_NAMESPACE = ".nil"


class LockException(util.SMException):
    """The lock's directory cannot be made."""


class Lock:
    """``Lock(name, ns)`` gives the one LockImplementation of this process for that file."""

    BASE_DIR = "/var/lock/sm"
    INSTANCES: Dict[str, Any] = {}
    BASE_INSTANCES: Dict[str, Any] = {}

    def __new__(cls, name: str, ns: Optional[str] = None, *args: Any, **kwargs: Any) -> Any:
        instances = Lock.INSTANCES.setdefault(ns, {}) if ns else Lock.BASE_INSTANCES
        if name not in instances:
            instances[name] = LockImplementation(name, ns)
        return instances[name]

    @staticmethod
    def _mknamespace(ns: Optional[str]) -> str:
        if ns is None:
            return _NO_NAMESPACE
        assert not ns.startswith(".")
        assert os.path.sep not in ns
        return ns

    @staticmethod
    def cleanup(name: str, ns: Optional[str] = None) -> None:
        """Remove the lock's file and forget its object."""
        instances = Lock.INSTANCES.get(ns, {}) if ns else Lock.BASE_INSTANCES
        instances.pop(name, None)
        if ns and not instances:
            Lock.INSTANCES.pop(ns, None)
        path = os.path.join(Lock.BASE_DIR, Lock._mknamespace(ns), name)
        try:
            os.unlink(path)
        except OSError as error:
            util.SMlog("lock: failed to remove %s: %s" % (path, error))


class LockImplementation:
    """One lock file of this process, counting nested acquires."""

    def __init__(self, name: str, ns: Optional[str] = None) -> None:
        assert not name.startswith(".")
        assert os.path.sep not in name
        self.name = name
        self.ns = Lock._mknamespace(ns)
        self.nspath = os.path.join(Lock.BASE_DIR, self.ns)
        self.lockpath = os.path.join(self.nspath, name)
        self.count = 0
        self.lockfile: Optional[IO[str]] = None
        self._held = False
        self._open()

    def _open(self) -> None:
        for attempt in range(11):
            try:
                os.makedirs(self.nspath, exist_ok=True)
            except OSError as error:
                raise LockException("Failed to makedirs(%s)" % self.nspath) from error
            try:
                util.SMlog("lock: opening lock file %s" % self.lockpath)
                self.lockfile = open(self.lockpath, "w+", encoding="utf-8")  # noqa: SIM115 - held as long as the process lives
                return
            except OSError as error:
                # another process may have removed the directory in between
                if error.errno != errno.ENOENT or attempt == 10:
                    raise

    def acquire(self) -> None:
        """Wait for the lock, without a limit."""
        if not self._held and not self._try():
            util.SMlog("Failed to lock %s on first attempt, waiting" % self.lockpath)
            fcntl.lockf(self._fd(), fcntl.LOCK_EX)
            self._held = True
        self.count += 1

    def acquireNoblock(self) -> bool:
        """Take the lock if nobody else has it; tells whether it is held now."""
        taken = self._held or self._try()
        if taken:
            self.count += 1
        return taken

    def held(self) -> bool:
        """Whether this process holds the lock."""
        return self._held

    def release(self) -> None:
        """Undo one acquire; the last one gives the lock back."""
        self.count = max(0, self.count - 1)
        if self.count == 0:
            fcntl.lockf(self._fd(), fcntl.LOCK_UN)
            self._held = False
            util.SMlog("lock: released %s" % self.lockpath)

    def cleanup(self, name: str, ns: Optional[str] = None) -> None:
        """See Lock.cleanup."""
        Lock.cleanup(name, ns)

    def _fd(self) -> int:
        assert self.lockfile is not None
        return self.lockfile.fileno()

    def _try(self) -> bool:
        try:
            fcntl.lockf(self._fd(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in (errno.EACCES, errno.EAGAIN):
                return False
            raise
        util.SMlog("lock: acquired %s" % self.lockpath)
        self._held = True
        return True

    def __del__(self) -> None:
        if self.lockfile is not None:
            self.lockfile.close()

"""The tapdisk process and its command line, tap-ctl; part of blktap2."""

import errno
import os
import re
import signal
import subprocess
import time
from typing import Any, Callable, Dict, Iterator, List, Optional, Tuple

import util

BASES = {"pid": 10, "minor": 10, "state": 16}  # of the numbers that `tap-ctl list` prints


class TapCtl:
    """Calls of the tap-ctl program."""

    PATH = "/usr/sbin/tap-ctl"

    class CommandFailure(Exception):

        def __init__(self, cmd: List[str], **info: Any) -> None:
            super().__init__(cmd, info)
            self.cmd = cmd
            self.info = info

        def __str__(self) -> str:
            return "%s failed: %s" % (self.cmd, ", ".join("%s=%s" % item for item in self.info.items()))

        def get_error_code(self) -> int:
            """Exit status; 0 when there is none."""
            return int(self.info.get("status", 0))

    @classmethod
    def _pread(cls, args: List[Any], quiet: bool = False, input: Optional[str] = None,
               text_mode: bool = True) -> str:
        argv = [cls.PATH] + [str(arg) for arg in args]
        if not quiet:
            util.SMlog(argv)
        try:
            process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                       stderr=subprocess.PIPE, universal_newlines=True)
        except OSError as error:
            raise cls.CommandFailure(argv, errno=error.errno) from error
        stdout, stderr = process.communicate(input)
        if process.returncode == 0:
            return str(stdout)
        kind = "signal" if process.returncode < 0 else "status"
        how = {kind: abs(process.returncode)}
        raise cls.CommandFailure(argv, errmsg=stderr.strip(), pid=process.pid, **how)

    @classmethod
    def _retried(cls, args: List[Any], statuses: Tuple[int, ...]) -> str:
        for attempt in range(10):
            try:
                return cls._pread(args, quiet=True)
            except cls.CommandFailure as failure:
                if failure.get_error_code() not in statuses or attempt == 9:
                    raise
            time.sleep(0.5)
        raise AssertionError("unreachable")

    @classmethod
    def list(cls, **args: Any) -> List[Dict[str, Any]]:
        """Rows of ``tap-ctl list``; minor, pid, _type and path restrict them."""
        options: List[Any] = []
        for option, key in (("-m", "minor"), ("-p", "pid"), ("-t", "_type"), ("-f", "path")):
            if args.get(key) is not None:
                options += [option, args[key]]
        rows = []
        for line in cls._retried(["list"] + options, (errno.EPROTO, errno.ENOENT)).splitlines():
            row: Dict[str, Any] = {}
            for field in line.rstrip().split(" ", 3):
                key, equals, value = field.partition("=")
                if equals and "=" not in value:
                    row[key] = int(value, BASES[key]) if key in BASES else value
            rows.append(row)
        return rows

    @classmethod
    def allocate(cls, devpath: Optional[str] = None) -> str:
        """A free device; gives its path."""
        return cls._pread(["allocate"] + (["-d", devpath] if devpath else []))

    @classmethod
    def spawn(cls) -> int:
        return int(cls._retried(["spawn"], (1,)))

    @classmethod
    def open(cls, pid: int, minor: int, _type: str, _file: str, options: Dict[str, Any]) -> None:
        args: List[Any] = ["open", "-p", pid, "-m", minor, "-a", "%s:%s" % (_type, _file)]
        args += ["-R"] if options.get("rdonly") else []
        args += ["-2", options["secondary"]] if options.get("secondary") else []
        args += ["-t", options["timeout"]] if options.get("timeout") else []
        args += [] if options.get("o_direct", True) else ["-D"]
        args += ["-C", options["cbtlog"]] if options.get("cbtlog") else []
        cls._pread(args)

    @classmethod
    def close(cls, pid: int, minor: int, force: bool = False) -> None:
        cls._pread(["close", "-p", pid, "-m", minor, "-t", "120"] + (["-f"] if force else []))

    @classmethod
    def unpause(cls, pid: int, minor: int, _type: Optional[str] = None, _file: Optional[str] = None,
                mirror: Optional[str] = None, cbtlog: Optional[str] = None) -> None:
        args: List[Any] = ["unpause", "-p", pid, "-m", minor]
        args += ["-2", mirror] if mirror else []
        args += ["-a", "%s:%s" % (_type, _file)] if _type and _file else []
        args += ["-c", cbtlog] if cbtlog else []
        cls._pread(args)

    @classmethod
    def attach(cls, pid: int, minor: int) -> None:
        cls._pread(["attach", "-p", pid, "-m", minor])

    @classmethod
    def detach(cls, pid: int, minor: int) -> None:
        cls._pread(["detach", "-p", pid, "-m", minor])

    @classmethod
    def pause(cls, pid: int, minor: int) -> None:
        cls._pread(["pause", "-p", pid, "-m", minor])

    @classmethod
    def free(cls, minor: int) -> None:
        cls._pread(["free", "-m", minor])

    @classmethod
    def shutdown(cls, pid: int) -> None:
        os.kill(pid, signal.SIGTERM)
        os.waitpid(pid, 0)


class TapdiskExists(Exception):
    """A tapdisk has this image open already."""

    def __init__(self, tapdisk: Any) -> None:
        super().__init__(tapdisk)
        self.tapdisk = tapdisk

    def __str__(self) -> str:
        return "%s already running" % self.tapdisk


class TapdiskNotRunning(Exception):
    """There is no tapdisk like this."""

    def __init__(self, **attrs: Any) -> None:
        super().__init__(attrs)
        self.attrs = attrs

    def __str__(self) -> str:
        return "No such Tapdisk(%s)" % ", ".join("%s=%s" % item for item in self.attrs.items())


class TapdiskNotUnique(Exception):
    """More than one tapdisk has the image open."""

    def __init__(self, tapdisks: List[Any]) -> None:
        super().__init__(tapdisks)
        self.tapdisks = tapdisks


class TapdiskFailed(Exception):
    """A tapdisk did not start; ``get_error()`` is tap-ctl's failure."""

    def __init__(self, arg: Any, err: Any) -> None:
        super().__init__(arg, err)
        self.arg = arg
        self.err = err

    def __str__(self) -> str:
        return "Tapdisk(%s): %s" % (self.arg, self.err)

    def get_error(self) -> Any:
        return self.err


class TapdiskInvalidState(Exception):
    """A tapdisk is paused, or not."""

    def __init__(self, tapdisk: Any) -> None:
        super().__init__(tapdisk)
        self.tapdisk = tapdisk

    def __str__(self) -> str:
        return str(self.tapdisk)


class Blktap:
    """A device of tapdisk's kind."""

    DEV_BASEDIR = "/dev/xen/blktap-2"

    def __init__(self, minor: int) -> None:
        self.minor = minor

    @classmethod
    def allocate(cls) -> Any:
        """A free one."""
        os.makedirs(cls.DEV_BASEDIR, exist_ok=True)
        name = TapCtl.allocate()
        found = re.search(r"%s/(blktap|tapdev)(\d+)$" % cls.DEV_BASEDIR, name)
        if not found:
            raise Exception("malformed tap device: '%s'" % name)
        return cls(int(found.group(2)))

    def free(self) -> None:
        TapCtl.free(self.minor)


class Tapdisk:
    """A running tapdisk with an image, as tap-ctl lists it."""

    TYPES = ["aio", "vhd", "qcow2"]
    _major: Optional[int] = None

    class Flags:
        PAUSED = 0x20
        PAUSE_MASK = 0x30  # paused, or on the way to it

    def __init__(self, pid: int, minor: int, _type: str, path: str, state: int) -> None:
        self.pid = pid
        self.minor = minor
        self.type = _type
        self.path = path
        self.state = state

    def __str__(self) -> str:
        what = (self.type, self.path, self.pid, self.minor, self.state)
        return "Tapdisk(%s:%s, pid=%d, minor=%s, state=0x%x)" % what

    @classmethod
    def list(cls, **args: Any) -> Iterator[Any]:
        """All that match; devices without image do not count."""
        for row in TapCtl.list(**args):
            if "args" in row and {"pid", "minor", "state"} <= set(row):
                kind, _, path = row["args"].partition(":")
                if kind not in cls.TYPES:
                    raise ValueError("Not a Tapdisk type: %s" % kind)
                yield cls(row["pid"], row["minor"], kind, path, row["state"])

    @classmethod
    def find(cls, **args: Any) -> Any:
        found = list(cls.list(**args))
        if len(found) > 1:
            raise TapdiskNotUnique(found)
        return found[0] if found else None

    @classmethod
    def find_by_path(cls, path: str) -> Any:
        """The one with exactly this path of an image, or None."""
        return cls.find(path=path)


    @classmethod
    def get(cls, **attrs: Any) -> Any:
        found = cls.find(**attrs)
        if not found:
            raise TapdiskNotRunning(**attrs)
        return found


    @classmethod
    def from_minor(cls, minor: int) -> Any:
        return cls.get(minor=minor)

    @classmethod
    def launch_on_tap(cls, blktap: Any, path: str, _type: str, options: Dict[str, Any]) -> Any:
        """Start a tapdisk on a device; what was begun is undone when a step fails."""
        running = cls.find_by_path(path)
        if running:
            raise TapdiskExists(running)
        undo: List[Tuple[Callable[..., Any], Any]] = []
        try:
            try:
                pid = TapCtl.spawn()
                undo.append((TapCtl.shutdown, (pid,)))
                TapCtl.attach(pid, blktap.minor)
                undo.append((TapCtl.detach, (pid, blktap.minor)))
                cls._open(pid, blktap.minor, _type, path, options)
                undo.append((TapCtl.close, (pid, blktap.minor)))
                return cls.from_minor(blktap.minor)
            except BaseException:
                for action, args in reversed(undo[1:]):
                    action(*args)
                for action, args in undo[:1]:
                    best_effort(action, *args)
                raise
        except TapCtl.CommandFailure as failure:
            util.logException(failure)
            raise TapdiskFailed("%s:%s" % (_type, path), failure) from failure

    @staticmethod
    def _open(pid: int, minor: int, _type: str, path: str, options: Dict[str, Any]) -> None:
        for attempt in range(6):
            try:
                TapCtl.open(pid, minor, _type, path, options)
                return
            except TapCtl.CommandFailure as failure:
                if failure.get_error_code() not in (errno.EIO, errno.EROFS, errno.EAGAIN) or attempt == 5:
                    raise
            time.sleep(1)

    def get_devpath(self) -> str:
        return "%s/tapdev%d" % (Blktap.DEV_BASEDIR, self.minor)

    def shutdown(self, force: bool = False) -> None:
        TapCtl.close(self.pid, self.minor, force)
        TapCtl.detach(self.pid, self.minor)
        TapCtl.free(self.minor)

    def pause(self) -> None:
        """Let go of the image; TapdiskInvalidState when paused already."""
        if self.state & self.Flags.PAUSE_MASK:
            raise TapdiskInvalidState(self)
        TapCtl.pause(self.pid, self.minor)

    def unpause(self, _type: Optional[str] = None, path: Optional[str] = None, mirror: Optional[str] = None,
                cbtlog: Optional[str] = None) -> None:
        """Go on, with the same image unless another is named; TapdiskInvalidState when not paused."""
        if not self.state & self.Flags.PAUSED:
            raise TapdiskInvalidState(self)
        TapCtl.unpause(self.pid, self.minor, _type or self.type, path or self.path, mirror, cbtlog)


    @classmethod
    def major(cls) -> Optional[int]:
        """Major number of tapdisk's devices."""
        if not cls._major:
            with open("/proc/devices", encoding="utf-8") as lines:
                for line in lines:
                    row = line.rstrip().split(" ")
                    if len(row) == 2 and row[1] == "tapdev":
                        cls._major = int(row[0])
        return cls._major


def best_effort(action: Callable[..., Any], *args: Any) -> None:
    """Some steps may fail in the real tree as well, without any consequence."""
    try:
        action(*args)
    except Exception as error:
        util.SMlog("ignored: %s" % error)
